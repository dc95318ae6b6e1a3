# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_approval: write down what a person says of a release, and sign it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import folder, policy, sshsig, statement
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import Policy, Signed
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import OVERRIDE, VOTE, Statement
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, seconds_of


def run(call: Call) -> Mapping[str, Any]:
    """What ``run`` of the module does. The signature is verified before it is written: who signs learns at once."""
    params, now = call.params, call.clock.now()
    wanted = _statement(params, moment(now))
    who = frozenset(map(str, params["roles"].get(wanted.role) or ()))
    if wanted.principal not in who:
        raise RolloutError(
            f"{wanted.principal} is not named as {wanted.role}, so the {wanted.kind} would not count",
            reason=f"{wanted.kind}_role", hint=f"As {wanted.role} may speak: {', '.join(sorted(who)) or 'nobody yet'}",
        )  # fmt: skip
    with sshsig.verifier(params["signers"], params["revoked"] or "") as verifier:
        there = _there(params, wanted, folder.read(params["folder"], verifier, now), now)
        if there is not None and there.statement is not None and not params["renew"]:
            return _told(False, there.statement, Path(params["folder"], there.where), there.key)
        if call.check_mode:
            return _told(True, wanted, Path(params["folder"], wanted.filename), "")
        call.progress.line(Line("", wanted.kind, wanted.role, "a token may want to be touched now", "SIGN"))
        raw = statement.dump(wanted)
        signature = sshsig.sign(raw, params["key"])
        key = verifier.verify(raw, signature, wanted.principal, now)
    call.stop.check("about to write the statement")
    path = folder.write(params["folder"], wanted, signature)
    return _told(True, wanted, path, key)


def _statement(params: Mapping[str, Any], at: str) -> Statement:
    found = Statement(
        params["kind"], params["app"], params["release"], params["plan_hash"], params["artifacts"] or "",
        tuple(params["regions"]), params["role"], params["principal"], at, secrets.token_hex(16),
        vote=params["vote"] or "", check=params["check"] or "", reason=(params["reason"] or "").strip(),
        layout=tuple(params["layout"]),
    )  # fmt: skip
    statement.check(found)
    if found.kind == OVERRIDE and found.check not in policy.OVERRIDABLE:
        raise RolloutError(
            f"{found.check!r} cannot be skipped",
            reason="override_unknown",
            hint=f"Known: {', '.join(policy.OVERRIDABLE)}",
        )
    return found


def _there(params: Mapping[str, Any], wanted: Statement, found: list[Signed], now: float) -> Signed | None:
    """The newest statement of the same person that says the same and still counts; a vote only if it is the last
    word."""
    rules = Policy(
        {wanted.role: frozenset({wanted.principal})}, max_age=params["max_age"], poll_max_age=params["max_age"],
        override_roles=(wanted.role,),
    )  # fmt: skip
    asked = policy.Asked(
        wanted.app, wanted.release, wanted.plan_hash, wanted.artifacts, wanted.regions, now, layout=wanted.layout
    )
    mine = [item for item in policy.judge(rules, asked, found).counted if item.statement is not None]
    mine.sort(key=lambda item: seconds_of(item.statement.at) if item.statement else 0.0)
    if wanted.kind == VOTE:
        mine = [item for item in mine if item.statement is not None and item.statement.kind == VOTE][-1:]
    said = [item for item in mine if item.statement is not None and _alike(item.statement, wanted)]
    return said[-1] if said else None


def _alike(one: Statement, other: Statement) -> bool:
    return replace(one, at="", nonce="") == replace(other, at="", nonce="")


def _told(changed: bool, said: Statement, path: Path, key: str) -> dict[str, Any]:
    text = statement.dump(said).decode()
    return {
        "changed": changed,
        "path": str(path),
        "statement": statement.summary(said, key),
        "diff": {"before": "" if changed else text, "after": text},
    }
