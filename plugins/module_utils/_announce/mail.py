# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Mail over SMTP: a stable Message-ID per run, event and recipients, threaded to the first mail.

Source: RFC 5321, 5322, 3834 (Auto-Submitted). Answers of 4xx and lost connections are tried again, 5xx are not.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import AnnounceError, Outcome, Wire, refuse

TLS = ("required", "if_offered", "implicit", "never")
PAUSES = (5.0, 30.0)


@dataclass(frozen=True)
class Server:
    """An SMTP server. ``tls``: STARTTLS demanded, taken when offered, TLS from the first byte, or none."""

    host: str
    port: int = 25
    tls: str = "required"
    user: str = ""
    password: str = field(default="", repr=False)


def message_id(key: str, recipients: Sequence[str], domain: str) -> str:
    """The same for the same key and recipients, whoever sends it and when: mail programs show it once."""
    found = hashlib.sha256("\n".join([key, *sorted(recipients)]).encode()).hexdigest()[:32]
    return f"<{found}@{domain}>"


def compose(wanted: Mapping[str, Any], now: float) -> EmailMessage:
    """The mail. ``wanted``: sender, to, subject, body, key, and thread (the key of the first mail)."""
    recipients = list(wanted["to"])
    if not recipients:
        raise refuse("to is empty", "Give at least one address")
    if not (wanted.get("subject") or "").strip():
        raise refuse("subject is empty", "Give the line that people will read")
    domain = wanted["sender"].rpartition("@")[2].strip("> ")
    if not domain:
        raise refuse(f"sender {wanted['sender']!r} is no address", "Give one such as rollout@example.net")
    mail = EmailMessage()
    try:
        mail["From"], mail["To"], mail["Subject"] = wanted["sender"], ", ".join(recipients), wanted["subject"]
    except (ValueError, HeaderParseError) as error:
        raise refuse(f"An address or the subject cannot stand in a header: {error}", "Take line breaks out") from None
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = message_id(wanted["key"], recipients, domain)
    thread = wanted.get("thread")
    if thread and thread != wanted["key"]:
        first = message_id(thread, recipients, domain)
        mail["References"] = mail["In-Reply-To"] = first
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(wanted["body"])
    return mail


def send(wire: Wire, server: Server, wanted: Mapping[str, Any], sent: Mapping[str, Any]) -> Outcome:
    """Send it once. What was sent is never sent again, whatever its text is now."""
    mail = compose(wanted, wire.clock.now())
    shown = {"to": list(wanted["to"]), "subject": wanted["subject"], "message_id": mail["Message-ID"]}
    if sent:
        return Outcome("unchanged", sent)
    if wire.check_mode:
        return Outcome("sent", {}, {}, shown)
    refused = _with_retries(wire, server, mail, list(wanted["to"]))
    ids = {"message_id": mail["Message-ID"], "refused": refused}
    return Outcome("sent", ids, {}, {**shown, **({"refused": refused} if refused else {})})


def _with_retries(wire: Wire, server: Server, mail: EmailMessage, to: Sequence[str]) -> dict[str, str]:
    what = f"{server.host} port {server.port}"
    for pause in (*PAUSES, None):
        try:
            return _once(wire, server, mail, to)
        except smtplib.SMTPRecipientsRefused as error:
            codes, told = _refusals(error.recipients)
            passing, seen = all(400 <= code < 500 for code in codes), f"refused every recipient: {told}"
        except smtplib.SMTPResponseException as error:
            passing, seen = 400 <= error.smtp_code < 500, f"answered {error.smtp_code} {_text(error.smtp_error)}"
        except ssl.SSLError as error:
            passing, seen = False, f"could not be trusted: {error.reason or error}"
        except smtplib.SMTPServerDisconnected as error:
            passing, seen = True, f"did not answer: {error}"
        except smtplib.SMTPException as error:
            passing, seen = False, f"could not be used: {error}"
        except OSError as error:
            passing, seen = True, f"did not answer: {error}"
        if not passing or pause is None or pause >= wire.deadline.remaining:
            raise AnnounceError(
                wire.scrubber.text(f"The mail server {what} {seen}"),
                reason="mail_passing" if passing else "mail_refused",
                hint="Try again later" if passing else "Check address, login, TLS policy and sender",
            )
        wire.clock.sleep(pause, f"waiting to try the mail server {what} again")
    raise AssertionError("the last try returns or raises")


def _once(wire: Wire, server: Server, mail: EmailMessage, to: Sequence[str]) -> dict[str, str]:
    context = ssl.create_default_context(cafile=wire.ca)
    if not wire.validate_certs:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    left = max(0.05, wire.deadline.remaining)
    if server.tls == "implicit":
        session: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=left, context=context)
    else:
        session = smtplib.SMTP(server.host, server.port, timeout=left)
    # No "with": its quit at the end would wait for a server that hangs.
    try:
        session.ehlo()
        if server.tls in ("required", "if_offered"):
            if session.has_extn("starttls"):
                session.starttls(context=context)
                session.ehlo()
            elif server.tls == "required":
                raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, and tls is required")
        if server.user:
            wire.scrubber.add(server.password)
            session.login(server.user, server.password)
        refused = session.send_message(mail, to_addrs=list(to))
        return _told(refused)
    finally:
        session.close()


def _told(refused: Mapping[str, tuple[int, bytes]]) -> dict[str, str]:
    return {address: f"{code} {_text(said)}" for address, (code, said) in refused.items()}


def _refusals(refused: Mapping[str, Any]) -> tuple[list[int], str]:
    return [code for code, _said in refused.values()], "; ".join(f"{a}: {t}" for a, t in _told(refused).items())


def _text(said: Any) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
