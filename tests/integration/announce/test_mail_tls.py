# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail over TLS, to a real server with a certificate of our own authority and a login."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from announce_tools import TOKEN, Mailbox, run
from tars_servers.certificates import Authority

Serve = Callable[..., tuple[Mailbox, int]]


class Watched(Mailbox):
    """Keeps, beside the mails, whether each came encrypted and who was logged in."""

    def __init__(self) -> None:
        super().__init__()
        self.how: list[tuple[bool, Any]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.how.append((session.ssl is not None, session.auth_data))
        return await super().handle_DATA(server, session, envelope)


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
    right = given.login == b"rollout" and given.password == TOKEN.encode()
    return AuthResult(success=right, handled=False, auth_data="rollout" if right else None)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve(authority: Authority) -> Iterator[Serve]:
    """Starts a server; ``implicit``: TLS from the first byte, else STARTTLS."""
    started: list[Controller] = []

    def begin(*, implicit: bool = False) -> tuple[Watched, int]:
        certificate, key = authority.issue(f"mail-{len(started)}")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        box = Watched()
        tls = {"ssl_context": context} if implicit else {"tls_context": context}
        more = {"authenticator": login, "auth_require_tls": not implicit, "ready_timeout": 30}
        controller = Controller(box, hostname="127.0.0.1", port=port, **tls, **more)
        controller.start()
        started.append(controller)
        return box, port

    yield begin
    for controller in started:
        controller.stop()


def mail(port: int, tls: str, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "tls": tls, "sender": "rollout@example.net", "key": "k",
            "to": ["a@example.net"], "subject": "done", "body": "All of it.", **more}  # fmt: skip


@pytest.mark.parametrize("tls", ["required", "if_offered"])
def test_starttls_is_taken_and_the_login_goes_through_it(serve: Any, authority: Authority, tls: str) -> None:
    box, port = serve()
    done = run("mail_notice", mail(port, tls, ca=str(authority.bundle), user="rollout", password=TOKEN))
    assert done["act"] == "sent" and box.how == [(True, "rollout")]


def test_a_wrong_login_is_refused(serve: Any, authority: Authority) -> None:
    box, port = serve()
    wrong = run("mail_notice", mail(port, "required", ca=str(authority.bundle), user="rollout", password="wrong-0001"))
    assert wrong["reason"] == "mail_refused" and "535" in wrong["msg"] and box.mails == []


def test_if_offered_goes_without_where_it_is_not(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    assert run("mail_notice", mail(port, "if_offered"))["act"] == "sent" and len(box.mails) == 1


def test_tls_from_the_first_byte(serve: Any, authority: Authority) -> None:
    box, port = serve(implicit=True)
    assert run("mail_notice", mail(port, "implicit", ca=str(authority.bundle)))["act"] == "sent"
    # The server speaks nothing but TLS there.
    assert len(box.mails) == 1


@pytest.mark.parametrize("tls", ["required", "if_offered", "implicit"])
def test_a_certificate_that_nobody_vouches_for_is_refused(serve: Any, tls: str) -> None:
    box, port = serve(implicit=tls == "implicit")
    refused = run("mail_notice", mail(port, tls))
    assert refused["reason"] == "mail_refused" and "could not be trusted" in refused["msg"] and box.mails == []
    assert run("mail_notice", mail(port, tls, validate_certs=False))["act"] == "sent"
