# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_permit: read statements, windows and, where something is in the way, records; decide; tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import folder, permit, policy, sshsig, windows
from ansible_collections.tars.rollout.plugins.module_utils._govern.permit import Answer, Place
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import Asked, Policy, Verdict
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, number, seconds_of

Reader = Callable[[Mapping[str, Any]], "Mapping[str, Any] | None"]


def run(call: Call, read_record: Reader | None = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; ``read_record`` gives the record of a region, from its cluster when not
    given."""
    params, now = call.params, call.clock.now()
    regions = _regions(params["regions"])
    rules = _policy(params)
    wanted = _overrides(params["overrides"])
    if not rules.starter and (wanted or (rules.approvals and not rules.starter_may)):
        raise RolloutError(
            f"{'An override is' if wanted else 'Approvals are'} asked for, and nobody knows who starts the rollout",
            reason="starter_unknown",
            hint="Give started_by (govern_started_by of the role): somebody else than that person must approve",
        )
    records = {name: region.get("record") or None for name, region in regions.items()}
    places = [_place(params, name, region, records[name], now) for name, region in regions.items()]
    asked = Asked(
        params["app"], params["release"], params["plan_hash"], params["artifacts"] or "", tuple(regions), now,
        max((_ended(params, name, records[name]) for name in regions), default=0.0), _began(params["began"], now),
        tuple(params["layout"]),
    )  # fmt: skip
    verdict = _judge(params, rules, asked, wanted)
    answers = permit.decide(places, verdict, params["forced"], now, list(wanted))
    if any(not answer.allowed for answer in answers):
        # Only now: a run that may move need not ask each cluster for its record.
        reader = read_record or _reader(call)
        places = [
            _look(params, place, regions[place.name], answer, reader)
            for place, answer in zip(places, answers, strict=True)
        ]
        answers = permit.decide(places, verdict, params["forced"], now, list(wanted))
    every = params["need"] == "all"
    allowed = (all if every else any)(answer.allowed for answer in answers)
    _tell(call, verdict, answers, allowed, now)
    refusal = None if allowed else _refused(params, verdict, answers)
    if refusal is not None and params["enforce"]:
        raise refusal
    if refusal is not None:
        call.warn(f"Not yet: {refusal}")
    return {
        "changed": False,
        "allowed": allowed,
        "code": next((answer.code for answer in answers if answer.allowed == allowed), "allowed"),
        "refusal": "" if refusal is None else str(refusal),
        "regions": [_answer(answer) for answer in answers],
        "began": moment(now if asked.began is None else asked.began),
        "approval": permit.for_the_record(verdict, asked.artifacts, params["run_id"] or "", moment(now)),
        "not_counted": [asdict(finding) for finding in verdict.refused],
        "missing": [asdict(finding) for finding in verdict.missing],
    }


def _regions(raw: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found = {str(item.get("name") or ""): item for item in raw}
    if not found or "" in found or len(found) < len(raw):
        raise RolloutError(
            "The regions cannot be used: none is there, one has no name, or a name is there twice",
            reason="regions_invalid", hint="Give each region once, with its name",
        )  # fmt: skip
    return found


def _policy(params: Mapping[str, Any]) -> Policy:
    needed: dict[str, int] = {}
    for item in params["approvals"]:
        _known("approvals", item, ("role", "count"), "approvals_invalid")
        role = str(item.get("role") or "") if isinstance(item, Mapping) else str(item)
        count = number("count", item.get("count", 1) if isinstance(item, Mapping) else 1, 1, 20)
        if not role or role in needed:
            raise RolloutError(
                f"The approvals cannot be used: the role {role!r} is empty or there twice", reason="approvals_invalid",
                hint="Give each role once, and say how many with count",
            )  # fmt: skip
        needed[role] = count or 1
    roles = {str(role): frozenset(map(str, _list(who))) for role, who in params["roles"].items()}
    empty = [role for role in (*needed, *params["poll"], *params["override_roles"]) if not roles.get(role)]
    if empty:
        raise RolloutError(
            f"Nobody is named as {empty[0]}, so the release could never be allowed", reason="role_unknown",
            hint="Name the principals of each role that is asked for in roles",
        )  # fmt: skip
    return Policy(
        roles, needed, _age(params, "max_age"), params["started_by"] or "", params["starter_may_approve"],
        tuple(params["poll"]), _age(params, "poll_max_age"), tuple(params["override_roles"] or needed),
    )  # fmt: skip


def _age(params: Mapping[str, Any], option: str) -> float:
    """Seconds that statements count. An age that is no number would make each of them count for ever."""
    value = float(params[option])
    if not 0 < value < math.inf:
        raise RolloutError(
            f"{option} is {value:g}, which is no age", reason="age_invalid",
            hint="Give a number of seconds above 0, such as 86400",
        )  # fmt: skip
    return value


def _known(what: str, item: Any, keys: Sequence[str], reason: str) -> None:
    """A key that nobody reads would ask for less than somebody meant."""
    if isinstance(item, Mapping) and (odd := sorted(set(map(str, item)) - set(keys))):
        raise RolloutError(
            f"The {what} cannot be used: the key {odd[0]!r} is not known", reason=reason,
            hint=f"Known: {', '.join(keys)}",
        )  # fmt: skip


def _list(who: Any) -> Sequence[Any]:
    return who if isinstance(who, Sequence) and not isinstance(who, str) else [who]


def _overrides(raw: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in raw:
        check, reason = str(item.get("check") or ""), str(item.get("reason") or "").strip()
        if len(reason.split()) < 2:
            raise RolloutError(
                f"The override of {check or 'a check'} cannot be used: its reason is {reason!r}",
                reason="override_without_reason", hint="Say in a sentence why the check may be skipped this once",
            )  # fmt: skip
        _known(f"override of {check}", item, ("check", "reason"), "override_invalid")
        if found.setdefault(check, reason) != reason:
            raise RolloutError(
                f"The override of {check} cannot be used: it is there twice, with two reasons",
                reason="override_invalid", hint="Ask for each check once, with the words that were signed",
            )  # fmt: skip
    return found


def _place(
    params: Mapping[str, Any], name: str, region: Mapping[str, Any], record: Mapping[str, Any] | None, now: float
) -> Place:
    own = region.get("windows")
    parsed = windows.parse(params["windows"] if own is None else own, params["overlap"], now)
    return _with(params, Place(name, parsed), record)


def _with(params: Mapping[str, Any], place: Place, record: Mapping[str, Any] | None) -> Place:
    there = permit.under_way(record, params["release"], params["plan_hash"], params["artifacts"] or "")
    return replace(place, under_way=there, overrides=permit.overridden(record))


def _began(raw: str | None, now: float) -> float | None:
    """When the run first asked; never later than now."""
    try:
        return min(seconds_of(raw), now) if raw else None
    except ValueError:
        raise RolloutError(
            f"began is {raw!r}, which is no moment", reason="bad_options", hint="Such as 2026-09-21T14:20:00Z"
        ) from None


def _ended(params: Mapping[str, Any], name: str, record: Mapping[str, Any] | None) -> float:
    """When the release was last rolled back in a region, by its record and by the ledger."""
    moments = [permit.ended(record, params["release"])]
    for event in ledger.read(params["ledger"]) if params["ledger"] else ():
        back = event.kind == "phase" and event.subject.startswith("rolled_back")
        if back and (event.region, event.release) == (name, params["release"]):
            moments.append(seconds_of(event.at))
    return max(moments)


def _judge(params: Mapping[str, Any], rules: Policy, asked: Asked, wanted: Mapping[str, str]) -> Verdict:
    if not (rules.approvals or rules.poll or wanted):
        return policy.judge(rules, asked, [], wanted)
    missing = [name for name in ("signers", "folder") if not params[name]]
    if missing:
        raise RolloutError(
            f"Approvals are asked for and {' and '.join(missing)} not given", reason="missing_option",
            hint="Give the allowed-signers file, and the folder that approve.yml writes to",
        )  # fmt: skip
    with sshsig.verifier(params["signers"], params["revoked"] or "") as verifier:
        found = folder.read(params["folder"], verifier, asked.now)
    return policy.judge(rules, asked, found, wanted)


def _reader(call: Call) -> Reader:
    def read(region: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if not region.get("kubeconfig"):
            return None
        # Not needed by a release that may move, and slow to import.
        from ansible_collections.tars.rollout.plugins.module_utils import _kube
        from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store

        client = _kube.from_kubeconfig(str(region["kubeconfig"]), str(region.get("context") or ""), call.scrubber)
        stored = Store(client, str(region["namespace"]), call.params["app"]).read()
        return None if stored.record is None else asdict(stored.record)

    return read


def _look(params: Mapping[str, Any], place: Place, region: Mapping[str, Any], answer: Answer, reader: Reader) -> Place:
    """The place with what its record says, where the answer is no and no record was given."""
    if answer.allowed or region.get("record"):
        return place
    try:
        record = reader(region)
    except RolloutError:
        # The cluster does not answer: then the release is not known to be under way, and the answer stays no.
        return place
    return _with(params, place, record)


def _tell(call: Call, verdict: Verdict, answers: Sequence[Answer], allowed: bool, now: float) -> None:
    for finding in verdict.refused:
        call.warn(f"Does not count: {finding.text}")
    for answer in answers:
        call.progress.line(
            Line(
                answer.region,
                "govern",
                call.params["release"],
                answer.text,
                "MAY MOVE" if answer.allowed else "MAY NOT MOVE",
            )
        )
    if call.check_mode or not call.params["ledger"]:
        return
    book = ledger.Ledger(call.params["ledger"], call.scrubber.data)
    params = call.params
    kept = permit.for_the_record(verdict, params["artifacts"] or "", params["run_id"] or "", moment(now))
    for answer in answers:
        data = {**kept, **_answer(answer), "started_by": call.params["started_by"] or ""}
        book.add(
            ledger.Event(moment(now), answer.region, call.params["release"], "permit", answer.code, answer.text, data)
        )
    if book.problem:
        call.warn(book.problem)


def _answer(answer: Answer) -> dict[str, Any]:
    changes = "" if answer.changes_at is None else moment(answer.changes_at)
    return {**asdict(answer), "changes_at": changes}


def _refused(params: Mapping[str, Any], verdict: Verdict, answers: Sequence[Answer]) -> RolloutError:
    no = [answer for answer in answers if not answer.allowed]
    alike = len({answer.text for answer in no}) == 1
    seen = no[0].text if alike else "; ".join(f"{answer.region}: {answer.text}" for answer in no)
    return RolloutError(
        f"Release {params['release']} may not move in {', '.join(answer.region for answer in no)}: {seen}",
        reason=no[0].code,
        hint=_HINTS.get(no[0].code, _HINTS.get(no[0].code.partition("_")[0], "")),
        details={
            "regions": [_answer(answer) for answer in answers],
            "missing": [asdict(finding) for finding in verdict.missing],
            "not_counted": [asdict(finding) for finding in verdict.refused],
        },
    )


_HINTS = {
    "frozen": "Wait until the freeze is over, or ask for an override of freeze; a rollback needs neither",
    "closed": "Wait for the window, or ask for an override of window; a rollback needs neither",
    "vote": "Ask the roles of the poll, then run approve.yml with govern_sign_kind=vote; a rollback asks nobody",
    "approval": "Let those who are missing run approve.yml; a rollback needs no approval",
    "override": "Give the reason in govern_overrides, and let somebody else sign it with approve.yml",
    "statement": "Let approve.yml write the statement again",
}
