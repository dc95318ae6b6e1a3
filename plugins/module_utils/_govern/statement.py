# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a person signs: one statement about one release, as a file that says the same to people and to programs. Pure.

A statement is JSON in one canonical form, so that the bytes that were signed can mean one thing only. It names the
exact plan and the exact bytes of the release, so it is worth nothing for any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

FORMAT = "tars.rollout/statement/2"
NAMESPACE = "tars.rollout"
"""What ssh-keygen calls the namespace: a signature for anything else than us does not count."""
APPROVAL, OVERRIDE, VOTE = "approval", "override", "vote"
KINDS = (APPROVAL, OVERRIDE, VOTE)
GO, NO_GO = "go", "no_go"
MAX_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,128}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_LISTS = ("regions", "layout")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Statement:
    """Who says what about which release. ``at`` is a moment in UTC, see ``_values``; ``nonce`` 32 hexadecimal digits.

    ``artifacts``: the digest of the release's files and images, empty for a release without a manifest. ``regions``:
    where it may go; ``layout``: the order in which, as wave:region. ``vote``: go or no_go, of a vote only. ``check``,
    ``reason``: what an override skips, and why.
    """

    kind: str
    app: str
    release: str
    plan_hash: str
    artifacts: str
    regions: tuple[str, ...]
    role: str
    principal: str
    at: str
    nonce: str
    vote: str = ""
    check: str = ""
    reason: str = ""
    layout: tuple[str, ...] = ()
    format: str = FORMAT

    @property
    def filename(self) -> str:
        """Tells people what is in it; the nonce keeps two apart."""
        subject = f"-{self.check}" if self.check else ""
        return f"{self.kind}{subject}-{self.role}-{self.nonce[:8]}.json"


def dump(statement: Statement) -> bytes:
    """The bytes that are signed."""
    return (json.dumps(asdict(statement), sort_keys=True, indent=1) + "\n").encode()


def load(raw: bytes) -> Statement:
    """The statement in these bytes; RolloutError ``statement_invalid`` for anything but the canonical form of one."""
    if len(raw) > MAX_BYTES:
        raise _odd(f"it has {len(raw)} bytes")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _odd(f"it is no JSON ({error})") from None
    names = {item.name for item in fields(Statement)}
    if not isinstance(data, dict) or set(data) != names:
        raise _odd("its fields are not those of a statement")
    lists = {name: data[name] for name in _LISTS}
    if not all(isinstance(found, list) and all(isinstance(value, str) for value in found) for found in lists.values()):
        raise _odd("its regions are no list of names")
    if any(not isinstance(data[name], str) for name in names - set(_LISTS)):
        raise _odd("a field is no text")
    statement = Statement(**{**data, **{name: tuple(found) for name, found in lists.items()}})
    check(statement)
    if dump(statement) != raw:
        raise _odd("it was edited: it is not in the form in which statements are written")
    return statement


def check(statement: Statement) -> None:
    """RolloutError ``statement_invalid`` for a statement that says nothing that could count."""
    if statement.format != FORMAT:
        raise _odd(f"its format is {statement.format!r}, known is {FORMAT}")
    if statement.kind not in KINDS:
        raise _odd(f"its kind is {statement.kind!r}, known are {', '.join(KINDS)}")
    for name in ("app", "release", "role", "principal"):
        if not _NAME.fullmatch(getattr(statement, name)):
            raise _odd(f"its {name} is {getattr(statement, name)!r}")
    if not _HASH.fullmatch(statement.plan_hash) or not (
        not statement.artifacts or _HASH.fullmatch(statement.artifacts)
    ):
        raise _odd("a hash in it is none (sha256: and 64 digits)")
    if not statement.regions:
        raise _odd("it names no region")
    if not _NONCE.fullmatch(statement.nonce):
        raise _odd("its nonce is none (32 digits)")
    try:
        seconds_of(statement.at)
    except ValueError:
        raise _odd(f"its time is {statement.at!r}") from None
    if (statement.kind == VOTE) != (statement.vote in (GO, NO_GO)) or (statement.vote and statement.kind != VOTE):
        raise _odd(f"its vote is {statement.vote!r}")
    if (statement.kind == OVERRIDE) != bool(statement.check):
        raise _odd(f"it is a {statement.kind} and its check is {statement.check!r}")
    if statement.kind == OVERRIDE and len(statement.reason.split()) < 2:
        raise _odd(f"its reason is {statement.reason!r}, which tells nobody why")


def summary(statement: Statement, key: str = "") -> Mapping[str, Any]:
    """What of it goes into the record, the ledger and the sign-off."""
    told = {**asdict(statement), **{name: list(getattr(statement, name)) for name in _LISTS}, "key": key}
    return {name: value for name, value in told.items() if value not in ("", []) and name != "format"}


def _odd(seen: str) -> RolloutError:
    return RolloutError(
        f"The statement cannot be used: {seen}",
        reason="statement_invalid",
        hint="Let playbooks/approve.yml write it, and sign it as it is",
    )
