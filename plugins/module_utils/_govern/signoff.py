# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The sign-off of a release: what was promised, what happened, and whether the one is the other. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

FORMAT = "tars.rollout/sign-off/1"
_KEPT = (
    "release",
    "phase",
    "plan_hash",
    "phase_since",
    "stable_release",
    "reason",
    "weights",
    "approvals",
    "history",
    "run_id",
    "fence",
)
# What differs from one writing to the next although nothing has happened.
_PASSING = ("at", "run", "ledger")


def document(
    promised: Mapping[str, Any], records: Mapping[str, Mapping[str, Any] | None], ledger: bytes, at: str, run: str
) -> dict[str, Any]:
    """The sign-off as data. ``promised``: app, release, plan_hash, artifacts, page; ``records`` by region, None for no
    record."""
    regions = {
        name: None if record is None else {key: record.get(key) for key in _KEPT} for name, record in records.items()
    }
    return {
        "format": FORMAT,
        "at": at,
        "run": run,
        "promised": dict(promised),
        "happened": regions,
        "differences": differences(promised, regions),
        "ledger": {"bytes": len(ledger), "sha256": hashlib.sha256(ledger).hexdigest()},
    }


def kept(before: Mapping[str, Any], promised: Mapping[str, Any]) -> dict[str, Any]:
    """What is promised, by a run that may know less of it than the one that wrote the sign-off of the same plan.

    A run that finds all regions done looks neither at artifacts nor at the plan's page.
    """
    if any(before.get(key) != promised[key] for key in ("app", "release", "plan_hash")):
        return dict(promised)
    artifacts = promised["artifacts"] or before.get("artifacts") or ""
    return {**promised, "artifacts": artifacts, "page": before.get("page") or promised["page"]}


def check_subject(data: Mapping[str, Any], app: str, release: str, where: str) -> None:
    """RolloutError ``sign_off_other_release`` when it is about another application or release; empty asks for none."""
    told = data["promised"]
    both = ((told.get("app"), app), (told.get("release"), release))
    if wrong := [f"{theirs} and not {ours}" for theirs, ours in both if ours and theirs != ours]:
        raise RolloutError(
            f"The sign-off {where} is about {', '.join(wrong)}", reason="sign_off_other_release",
            hint="Take the file of this release; its name proves nothing",
        )  # fmt: skip


def differences(promised: Mapping[str, Any], regions: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """What happened otherwise than promised, a sentence each; none is what everybody wants to sign."""
    found = []
    for name, record in regions.items():
        if record is None or record.get("release") != promised["release"]:
            found.append(f"{name}: the release did not come there")
        elif record.get("phase") != "promoted":
            why = f" ({record['reason']})" if record.get("reason") else ""
            found.append(f"{name}: it is {record.get('phase')}{why} and not promoted")
        elif record.get("plan_hash") != promised["plan_hash"]:
            found.append(f"{name}: it came by another plan, {record.get('plan_hash')}")
    return found


def dump(data: Mapping[str, Any]) -> bytes:
    """The bytes that are signed."""
    return (json.dumps(data, sort_keys=True, indent=1) + "\n").encode()


def load(raw: bytes, where: str) -> dict[str, Any]:
    """The sign-off in these bytes; RolloutError ``sign_off_invalid`` for anything else."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not _whole(data) or dump(data) != raw:
        raise RolloutError(
            f"The sign-off {where} is not as this collection writes it", reason="sign_off_invalid",
            hint="It was edited or is of another version: take the one that was signed",
        )  # fmt: skip
    return data


def _whole(data: Mapping[str, Any]) -> bool:
    """Whether everything that is read of a sign-off is there, in the form in which it was written."""
    ledger, at = data.get("ledger"), data.get("at")
    if data.get("format") != FORMAT or not isinstance(ledger, dict) or not isinstance(at, str):
        return False
    try:
        seconds_of(at)
    except ValueError:
        return False
    size = ledger.get("bytes")
    kinds = (("promised", dict), ("happened", dict), ("differences", list))
    return (
        all(isinstance(data.get(name), kind) for name, kind in kinds)
        and isinstance(size, int) and size >= 0 and isinstance(ledger.get("sha256"), str)
    )  # fmt: skip


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two say the same of the release, whenever they were written."""
    return {key: value for key, value in one.items() if key not in _PASSING} == {
        key: value for key, value in other.items() if key not in _PASSING
    }


def same_ledger(data: Mapping[str, Any], ledger: bytes) -> bool:
    """Whether a ledger begins with the one that was signed; it may have grown since."""
    told = data["ledger"]
    return bool(hashlib.sha256(ledger[: told["bytes"]]).hexdigest() == told["sha256"])


def signature_name(document: str, role: str, principal: str) -> str:
    """Name of the file of a signature; ``parts`` reads it again."""
    if not role or "." in role or "/" in role + principal or not principal:
        raise RolloutError(
            f"The role {role!r} or the principal {principal!r} cannot be part of a file's name", reason="bad_options",
            hint="Roles have neither dots nor slashes, principals no slashes",
        )  # fmt: skip
    return f"{document}.{role}.{principal}.sig"


def parts(document: str, name: str) -> tuple[str, str] | None:
    """Role and principal in the name of a signature of that document, None for another file."""
    if not name.startswith(f"{document}.") or not name.endswith(".sig"):
        return None
    role, dot, principal = name[len(document) + 1 : -4].partition(".")
    return (role, principal) if dot and role and principal else None


def missing(wanted: Sequence[str], signed: Sequence[Mapping[str, Any]]) -> list[str]:
    """The roles that have not signed."""
    there = {item["role"] for item in signed if item["holds"]}
    return [role for role in wanted if role not in there]
