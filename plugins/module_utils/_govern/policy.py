# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Which signed statements count, and whether they are enough. Pure: what was read, who verified and the time are given.

Every statement that does not count is named with the reason, whether or not the others are enough: silence about a
signature that nobody knows would be worse than a line too many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import (
    APPROVAL,
    NO_GO,
    OVERRIDE,
    VOTE,
    Statement,
)
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

OVERRIDABLE = (
    "window", "freeze", "poll", "supersede", "forecast", "artifacts", "images", "age", "capacity", "takeover",
    "mutable_tags", "lint", "backup", "fuse",
)  # fmt: skip
"""Checks that an override can skip. Approvals, the plan and the bytes of a file cannot be skipped."""


@dataclass(frozen=True)
class Policy:
    """The rules of one plan. Seconds; ``roles`` says which principals may speak in which role.

    ``approvals``: how many approvals of which role are needed. ``starter``: who starts the run, and ``starter_may``:
    whether that person's approval counts. An override always needs somebody else. ``poll``: the roles that are asked.
    """

    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    approvals: Mapping[str, int] = field(default_factory=dict)
    max_age: float = 86400.0
    starter: str = ""
    starter_may: bool = True
    poll: tuple[str, ...] = ()
    poll_max_age: float = 7200.0
    override_roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What is to be done. ``ended``: when something was last rolled back here or another release came, in seconds since
    1970, 0 for never. ``began``: when the run first asked, which is when the age of votes is judged; None for now.
    ``layout``: the order of regions, as wave:region."""

    app: str
    release: str
    plan_hash: str
    artifacts: str
    regions: tuple[str, ...]
    now: float
    ended: float = 0.0
    began: float | None = None
    layout: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signed:
    """A statement as it was found. ``problem``: (code, sentence) when it cannot count, whatever it says."""

    where: str
    statement: Statement | None = None
    key: str = ""
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class Finding:
    """Why a statement does not count, or what is missing; ``code`` is stable."""

    code: str
    text: str
    kind: str = ""
    role: str = ""


@dataclass(frozen=True)
class Verdict:
    """What counts, and what stands in the way. ``counted``: all statements that count, each once."""

    counted: tuple[Signed, ...]
    approvals: tuple[Signed, ...]
    votes: Mapping[str, Signed]
    overrides: Mapping[str, Signed]
    refused: tuple[Finding, ...]
    missing: tuple[Finding, ...]


def judge(policy: Policy, asked: Asked, found: Sequence[Signed], wanted: Mapping[str, str] | None = None) -> Verdict:
    """Whether the statements are enough. ``wanted``: the checks that this run asks to skip, each with its reason."""
    counted: list[Signed] = []
    refused: list[Finding] = []
    nonces: set[str] = set()
    for item in found:
        if (finding := _refused(policy, asked, item, nonces)) is not None:
            refused.append(finding)
        elif item.statement is not None:
            nonces.add(item.statement.nonce)
            counted.append(item)
    approvals, missing = _approvals(policy, _of(counted, APPROVAL), refused)
    votes, against = _poll(policy, _of(counted, VOTE), refused)
    overrides, not_allowed = _overrides(_of(counted, OVERRIDE), wanted or {}, refused)
    return Verdict(
        tuple(counted), tuple(approvals), votes, overrides, tuple(refused), (*missing, *against, *not_allowed)
    )


def _of(counted: Sequence[Signed], kind: str) -> list[Signed]:
    return [item for item in counted if item.statement is not None and item.statement.kind == kind]


def _refused(policy: Policy, asked: Asked, item: Signed, nonces: set[str]) -> Finding | None:
    said = item.statement
    if said is None or item.problem is not None:
        code, text = item.problem or ("statement_invalid", "it could not be read")
        return Finding(code, f"{item.where}: {text}", said.kind if said else "", said.role if said else "")

    def no(code: str, text: str) -> Finding:
        return Finding(
            f"{said.kind}_{code}", f"{item.where}: {said.principal}'s {said.kind} {text}", said.kind, said.role
        )

    other = [
        f"{what} {theirs or 'none'} and not {ours or 'none'}"
        for what, theirs, ours in (
            ("application", said.app, asked.app),
            ("release", said.release, asked.release),
            ("plan", said.plan_hash, asked.plan_hash),
            ("artifacts", said.artifacts, asked.artifacts),
            ("the order", ", ".join(said.layout), ", ".join(asked.layout)),
        )
        if theirs != ours
    ]
    if other:
        return no("other_plan", f"is about {'; '.join(other)}")
    if elsewhere := sorted(set(asked.regions) - set(said.regions)):
        return no("other_region", f"is for {', '.join(said.regions)} and not for {', '.join(elsewhere)}")
    if said.principal not in policy.roles.get(said.role, frozenset()):
        return no("role", f"is given as {said.role}, which {said.principal} is not")
    if said.kind == OVERRIDE and said.role not in policy.override_roles:
        return no("role", f"is given as {said.role}; overrides are for {', '.join(policy.override_roles) or 'nobody'}")
    if said.nonce in nonces:
        return no("reused", "is there twice: its nonce was seen before")
    at = seconds_of(said.at)
    if at > asked.now:
        return no("future", f"is from the future ({said.at})")
    oldest = policy.poll_max_age if said.kind == VOTE else policy.max_age
    # A poll is taken once, when the run begins: a rollout may last longer than a vote. A no-go counts later too.
    then = asked.now if asked.began is None or said.kind != VOTE else asked.began
    if then - at > oldest:
        return no("expired", f"is from {said.at}, older than {_hours(oldest)}")
    if at <= asked.ended:
        return no("reused", "was used up: after it was given it was rolled back here, or another release came")
    if said.kind != VOTE and _starts(policy, said.principal) and (said.kind == OVERRIDE or not policy.starter_may):
        return no("self", f"is by the person who starts the rollout ({policy.starter})")
    return None


def _approvals(policy: Policy, given: Sequence[Signed], refused: list[Finding]) -> tuple[list[Signed], list[Finding]]:
    """Fill each needed place with a person of its own, as many places as possible (augmenting paths)."""
    places = [role for role, count in policy.approvals.items() for _place in range(count)]
    people = _people(given)
    holder: dict[int, int] = {}

    def seat(place: int, tried: set[int]) -> bool:
        for who, said in enumerate(people):
            if places[place] not in said or who in tried:
                continue
            tried.add(who)
            before = next((other for other, sits in holder.items() if sits == who), None)
            if before is None or seat(before, tried):
                holder[place] = who
                return True
        return False

    for place in range(len(places)):
        seat(place, set())
    missing = []
    for place, role in enumerate(places):
        if place in holder:
            continue
        twice = [said[role] for said in people if role in said]
        if twice:
            who = getattr(twice[0].statement, "principal", "")
            text = f"{who} has approved for another place already; as {role} somebody else must approve"
            missing.append(Finding("approval_same_person", text, APPROVAL, role))
        else:
            missing.append(_missing(APPROVAL, role, f"no {role} has approved it", refused))
    return [people[holder[place]][places[place]] for place in sorted(holder)], missing


def _people(given: Sequence[Signed]) -> list[dict[str, Signed]]:
    """Approvals by person, and of each the newest by role. Who has the same name or the same key is the same person."""
    people: list[list[Signed]] = []
    for item in given:
        same = [person for person in people if any(_same(item, other) for other in person)]
        for person in same:
            people.remove(person)
        people.append([item, *(other for person in same for other in person)])
    found = []
    for person in people:
        by_role: dict[str, Signed] = {}
        for item in sorted(person, key=_given_at):
            if item.statement is not None:
                by_role[item.statement.role] = item
        found.append(by_role)
    return found


def _poll(policy: Policy, given: Sequence[Signed], refused: list[Finding]) -> tuple[dict[str, Signed], list[Finding]]:
    """The last word of each role; every one of the poll must be go."""
    votes: dict[str, Signed] = {}
    for item in sorted(given, key=_given_at):
        if item.statement is not None:
            votes[item.statement.role] = item
    against = []
    for role in dict.fromkeys(policy.poll):
        vote = votes.get(role)
        if vote is None or vote.statement is None:
            against.append(_missing(VOTE, role, f"{role} has not said go", refused))
        elif vote.statement.vote == NO_GO:
            why = f" ({vote.statement.reason})" if vote.statement.reason else ""
            against.append(Finding("vote_no_go", f"{vote.statement.principal} ({role}) said no-go{why}", VOTE, role))
    return votes, against


def _overrides(
    given: Sequence[Signed], wanted: Mapping[str, str], refused: list[Finding]
) -> tuple[dict[str, Signed], list[Finding]]:
    found: dict[str, Signed] = {}
    missing = []
    for check, reason in wanted.items():
        if check not in OVERRIDABLE:
            missing.append(
                Finding("override_unknown", f"{check!r} cannot be skipped, only {', '.join(OVERRIDABLE)}", OVERRIDE)
            )
            continue
        same = [item for item in given if item.statement is not None and item.statement.check == check]
        alike = [item for item in same if item.statement is not None and item.statement.reason == reason]
        if alike:
            found[check] = alike[-1]
        elif same and same[-1].statement is not None:
            missing.append(
                Finding("override_other_reason", f"skipping {check} was approved for another reason: "
                        f"{same[-1].statement.reason!r}", OVERRIDE)
            )  # fmt: skip
        else:
            missing.append(_missing(OVERRIDE, "", f"nobody else has approved skipping {check}", refused))
    return found, missing


def _missing(kind: str, role: str, text: str, refused: Sequence[Finding]) -> Finding:
    """What is missing; when a statement would have filled it, with the code and the reason of that one."""
    near = [finding for finding in refused if finding.kind == kind and role in ("", finding.role)]
    if near:
        return Finding(near[-1].code, f"{text}: {near[-1].text}", kind, role)
    unread = [finding for finding in refused if not finding.kind]
    if unread:
        return Finding(unread[-1].code, f"{text}: {unread[-1].text}", kind, role)
    return Finding(f"{kind}_missing", text, kind, role)


def _same(one: Signed, other: Signed) -> bool:
    if one.statement is None or other.statement is None:
        return False
    return one.statement.principal.lower() == other.statement.principal.lower() or (
        bool(one.key) and one.key == other.key
    )


def _given_at(item: Signed) -> float:
    """By the moment and not by its text: the same moment can be written with another offset."""
    return seconds_of(item.statement.at) if item.statement is not None else 0.0


def _starts(policy: Policy, principal: str) -> bool:
    """Whether the principal is the one who starts the run: a controller may know a user by another domain, or none."""
    return bool(_account(policy.starter)) and _account(policy.starter) == _account(principal)


def _account(name: str) -> str:
    """``alice`` of alice, Alice@example.net and EXAMPLE\\alice."""
    return name.strip().lower().rpartition("\\")[2].partition("@")[0]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
