# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Allowed-signers files with all that ssh-keygen(1) knows of them, and files that are none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import statement

Signers = Callable[[str], str]


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    def write(text: str) -> str:
        path = tmp_path / "signers"
        path.write_bytes(text.encode())
        path.chmod(0o644)
        return str(path)

    return write


def public(office: Any, person: str) -> str:
    return " ".join(office.keys[person].with_suffix(".pub").read_text().split()[:2])


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%SZ")


def answer(office: Any, path: str, **key: str) -> str:
    """``allowed``, or the reason why not, after both have approved by that file; ``key``: another key by person."""
    try:
        for person, role in (("alice", "release_manager"), ("bob", "sre")):
            given = key.get(person) or str(office.keys[person])
            office.says(person, role, signers=path, key=given)
        office.clock.time += 1
        return "allowed" if office.asks(signers=path)["allowed"] else "not allowed"
    except RolloutError as error:
        assert path in str(error) or "/tars-signers-" not in str(error)
        return error.reason


def line(office: Any, options: str = "", key: str = "", who: str = "alice@tars.example") -> str:
    return f"{who} {options} {key or public(office, 'alice')}".replace("  ", " ")


@pytest.mark.parametrize(
    ("alice", "expected"),
    [
        (line, "allowed"),
        (lambda office: line(office, 'namespaces="git"'), "signature_invalid"),
        (lambda office: line(office, 'namespaces="git,tars.rollout"'), "allowed"),
        (lambda office: line(office, f'valid-after="{moment(office.clock.time + 3600)}"'), "signature_invalid"),
        (lambda office: line(office, f'valid-before="{moment(office.clock.time - 3600)}"'), "signature_invalid"),
        (
            lambda office: line(
                office,
                f'valid-after="{moment(office.clock.time - 60)}",valid-before="{moment(office.clock.time + 60)}"',
            ),
            "allowed",
        ),
        (lambda office: line(office, who="other@tars.example,alice@tars.example"), "allowed"),
        (lambda office: line(office, who="*@tars.example,!alice@tars.example"), "signature_invalid"),
        # Two keys of one person: either may sign.
        (lambda office: f"{line(office, key=public(office, 'mallory'))}\n{line(office)}", "allowed"),
        (lambda office: line(office, 'frobnicate="x"'), "signature_invalid"),
        (lambda office: f"nonsense\n{line(office)}", "allowed"),
        (lambda office: "# nobody", "signature_invalid"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_allowed_signers(
    office: Any, signers: Signers, alice: Callable[[Any], str], expected: str, end: str
) -> None:
    text = f"{alice(office)}\nbob@tars.example {public(office, 'bob')}\n"
    assert answer(office, signers(text.replace("\n", end))) == expected


@pytest.fixture
def certificate(office: Any, tmp_path: Path) -> Callable[..., str]:
    """Path of a certificate by the authority ``tmp_path/ca`` for the key of a person."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ca"], check=True)

    def make(person: str, principal: str, *words: str) -> str:
        key = tmp_path / person
        shutil.copy(office.keys[person], key)
        shutil.copy(office.keys[person].with_suffix(".pub"), key.with_suffix(".pub"))
        argv = ["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "x", "-n", principal, *words, key.with_suffix(".pub")]
        subprocess.run(argv, check=True)
        return f"{key}-cert.pub"

    return make


def test_a_certificate_authority(
    office: Any, signers: Signers, certificate: Callable[..., str], tmp_path: Path
) -> None:
    authority = " ".join((tmp_path / "ca.pub").read_text().split()[:2])
    path = signers(f"*@tars.example cert-authority {authority}\n")
    bob = certificate("bob", "bob@tars.example")
    old = certificate("alice", "alice@tars.example", "-V", "20200101:20210101")
    assert answer(office, path, alice=old, bob=bob) == "signature_invalid"
    foreign = certificate("alice", "mallory@tars.example")
    assert answer(office, path, alice=foreign, bob=bob) == "signature_invalid"
    alice = certificate("alice", "alice@tars.example")
    assert answer(office, path, alice=alice, bob=bob) == "allowed"
    # The key of an authority signs no statement, and one key with two certificates stays one person.
    assert answer(office, signers(f"*@tars.example {authority}\n"), alice=alice, bob=bob) == "signature_invalid"
    shutil.rmtree(office.approvals)
    path = signers(f"*@tars.example cert-authority {authority}\n")
    office.says("alice", "release_manager", signers=path, key=alice)
    office.says(
        "alice", "sre", principal="bob@tars.example", signers=path, key=certificate("alice", "bob@tars.example")
    )
    office.clock.time += 1
    with pytest.raises(RolloutError) as caught:
        office.asks(signers=path)
    assert caught.value.reason == "approval_same_person"


def test_a_folder_further_up_that_others_may_write(office: Any, tmp_path: Path) -> None:
    """Whoever may rename the folder of the file can put another one in its place."""
    inner = tmp_path / "open" / "keys"
    inner.mkdir(parents=True)
    (inner / "signers").write_bytes(office.signers.read_bytes())
    (inner / "signers").chmod(0o644)
    assert answer(office, str(inner / "signers")) == "allowed"
    inner.parent.chmod(0o777)
    assert answer(office, str(inner / "signers")) == "signers_writable"
    # A link that is itself reached by a link through that folder.
    (tmp_path / "open" / "link").symlink_to(inner)
    (tmp_path / "second").symlink_to("open/link/signers")
    assert answer(office, str(tmp_path / "second")) == "signers_writable"


def test_a_pipe_is_no_file(office: Any, tmp_path: Path) -> None:
    """Reading it would wait for a writer that never comes."""
    os.mkfifo(tmp_path / "pipe")
    assert answer(office, str(tmp_path / "pipe")) == "signers_unreadable"
    office.says("alice", "release_manager")
    office.says("bob", "sre")
    os.mkfifo(office.approvals / "pipe.json")
    office.clock.time += 1
    assert office.asks()["allowed"] and "pipe.json: it cannot be read: It is no regular file" in office.warnings[-1]
    with pytest.raises(RolloutError) as caught:
        office.asks(revoked=str(tmp_path / "gone"))
    assert str(caught.value).startswith(f"The revoked keys {tmp_path}/gone cannot be read")


def test_the_last_word_is_the_last_by_the_clock(office: Any) -> None:
    """A vote that somebody else wrote may name the same moments with another offset."""
    go = Path(office.says("bob", "sre", kind="vote", vote="go")["path"])
    office.clock.time += 60
    office.says("bob", "sre", kind="vote", vote="no_go", reason="the disk is full")
    said = statement.load(go.read_bytes())
    local = datetime.fromisoformat(said.at.replace("Z", "+00:00")).timestamp() + 7200
    text = datetime.fromtimestamp(local, UTC).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    raw = statement.dump(replace(said, at=text))
    argv = ["ssh-keygen", "-Y", "sign", "-f", office.keys["bob"], "-n", "tars.rollout"]
    go.write_bytes(raw)
    go.with_name(f"{go.name}.sig").write_bytes(subprocess.run(argv, input=raw, capture_output=True, check=True).stdout)
    office.clock.time += 1
    with pytest.raises(RolloutError) as caught:
        office.asks(approvals=[], poll=["sre"])
    assert caught.value.reason == "vote_no_go"
