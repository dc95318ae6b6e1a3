# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""When a release may move: windows that allow or deny, on the wall clock of their time zone. Pure.

Two kinds of windows:

- one that comes back, ``days`` with ``start`` and ``end``. An instant is in it when the wall clock of its zone says so:
  an hour that a change to winter time repeats is in it twice, one that a change to summer time skips never comes.
- one that comes once, ``from`` and ``until``. Where the wall clock shows such a time twice or never, a deny takes the
  longer and an allow the shorter reading.

Ends are not part of a window. The rule where windows meet: deny wins. Where an allow and a deny would overlap, this
must have been stated (``overlap: deny_wins``), else the windows are refused: one of the two is a mistake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALLOW, DENY = "allow", "deny"
# How far ahead openings and overlaps are looked for, in days: all changes of a year's clocks are in it.
AHEAD = 400
# Most answers change within days, so that far is looked first.
_CHUNK = 8
# Names by which one machine means another zone than the next one, or a clock that counts leap seconds.
_NO_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")
_KEYS = {"name", "effect", "time_zone", "days", "start", "end", "from", "until", "why"}


@dataclass(frozen=True)
class Window:
    """One window. Seconds since 1970 for ``begins`` and ``ends`` of one that comes once (infinity for one that does not
    end), else seconds of the day."""

    name: str
    effect: str
    zone: ZoneInfo | None
    once: bool
    begins: float
    ends: float
    days: frozenset[int] = frozenset()
    why: str = ""

    def contains(self, at: float) -> bool:
        """Whether the instant, in seconds since 1970, is in it."""
        if self.once:
            return self.begins <= at < self.ends
        wall = datetime.fromtimestamp(at, self.zone)
        second = wall.hour * 3600 + wall.minute * 60 + wall.second + wall.microsecond / 1e6
        if self.begins < self.ends:
            return wall.weekday() in self.days and self.begins <= second < self.ends
        # Over midnight: the part before belongs to its own day, the part after to the day before.
        if second >= self.begins:
            return wall.weekday() in self.days
        return second < self.ends and (wall.weekday() - 1) % 7 in self.days

    def edges(self, since: float, until: float) -> Iterator[float]:
        """Every instant in between at which it may begin or end, and perhaps some more."""
        if self.once:
            yield from (edge for edge in (self.begins, self.ends) if since <= edge <= until)
            return
        day = datetime.fromtimestamp(since, self.zone).date() - timedelta(days=2)
        last = datetime.fromtimestamp(until, self.zone).date() + timedelta(days=1)
        while day <= last:
            marks = {0.0, self.begins, self.ends}
            yield from (at for mark in marks for at in _instants(_wall(day, mark), self.zone) if since <= at <= until)
            yield from _changes(day, self.zone)
            day += timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """Whether a release may move at an instant. ``code``: open, frozen (a deny) or closed (no allow is open).

    ``window`` is the one that decided, empty without one. ``changes_at``: when the answer is another one, None when it
    stays so as far as was looked.
    """

    allowed: bool
    code: str
    window: str
    text: str
    changes_at: float | None


def parse(raw: Any, overlap: str = "refuse", now: float | None = None) -> tuple[Window, ...]:
    """The windows of a list as users write it; RolloutError with one sentence for anything that cannot be meant.

    With ``now`` also overlaps of an allow and a deny from then on are looked for, unless ``overlap`` is deny_wins.
    """
    if overlap not in ("refuse", "deny_wins"):
        raise _refuse("windows", f"overlap is {overlap!r}", "overlap_invalid", "It is refuse or deny_wins")
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise _refuse("windows", f"{raw!r} is no list", "window_invalid", "Give a list of windows")
    windows = tuple(_window(number, item) for number, item in enumerate(raw, start=1))
    names = [window.name for window in windows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _refuse("windows", f"{twice[0]!r} is there twice", "window_invalid", "Give each a name of its own")
    if now is not None and overlap == "refuse" and (found := overlapping(windows, now)):
        one, other, at = found
        raise _refuse(
            f"windows {one.name!r} ({one.effect}) and {other.name!r} ({other.effect})",
            f"both hold at {_said(at)}",
            "windows_overlap",
            "Make them apart, or state the rule with overlap: deny_wins",
        )
    return windows


def decide(windows: Sequence[Window], at: float) -> Answer:
    """May a release move at that instant? Without any window it may; without an allow, always but in a deny."""
    allowed, code, by = _look(windows, at)
    changes = next((edge for edge in _ahead(windows, at) if _look(windows, edge)[0] != allowed), None)
    if by is None:
        text = "no window holds now" if windows else "there are no windows"
    else:
        text = f"{by.name!r} {'denies' if by.effect == DENY else 'allows'} it{f' ({by.why})' if by.why else ''}"
    if changes is not None:
        text += f", {'until' if allowed else 'open again at'} {_said(changes, by.zone if by else None)}"
    return Answer(allowed, code, by.name if by else "", text, changes)


def decide_allowed(windows: Sequence[Window], at: float) -> bool:
    """Only whether it may; ``decide`` also says why and until when."""
    return _look(windows, at)[0]


def overlapping(windows: Sequence[Window], since: float) -> tuple[Window, Window, float] | None:
    """The first allow and deny that hold at the same instant from ``since`` on, and when."""
    if len({window.effect for window in windows}) < 2:
        return None
    for at in (since, *_ahead(windows, since)):
        held = [window for window in windows if window.contains(at)]
        denies = [window for window in held if window.effect == DENY]
        allows = [window for window in held if window.effect == ALLOW]
        if denies and allows:
            return allows[0], denies[0], at
    return None


def _look(windows: Sequence[Window], at: float) -> tuple[bool, str, Window | None]:
    held = [window for window in windows if window.contains(at)]
    for window in held:
        if window.effect == DENY:
            return False, "frozen", window
    if held:
        return True, "open", held[0]
    only_denies = all(window.effect == DENY for window in windows)
    return only_denies, "open" if only_denies else "closed", None


def _ahead(windows: Sequence[Window], since: float) -> Iterator[float]:
    """Edges after ``since`` in their order: within AHEAD days, and those of windows that come once, however late."""
    begin, last = since, since + AHEAD * 86400
    while begin < last:
        end = min(last, begin + _CHUNK * 86400)
        found = {edge for window in windows for edge in window.edges(begin, end)}
        yield from sorted(edge for edge in found if begin < edge <= end)
        begin = end
    once = {edge for window in windows if window.once for edge in (window.begins, window.ends)}
    yield from sorted(edge for edge in once if last < edge < math.inf)


def _wall(day: date, second: float) -> datetime:
    return datetime.combine(day, time()) + timedelta(seconds=second)


def _instants(wall: datetime, zone: ZoneInfo | None) -> tuple[float, ...]:
    """When the clock of the zone shows that time: once, twice, or where it is skipped the instants around the gap."""
    return tuple(sorted({wall.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)}))


def _changes(day: date, zone: ZoneInfo | None) -> Iterator[float]:
    """The instant of that day at which the clock is changed, if there is one; to the second."""
    low = datetime.combine(day, time(), UTC).timestamp()
    high = low + 86400

    def offset(at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, zone).utcoffset()

    if offset(low) == offset(high):
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
    yield high


def _window(number: int, raw: Any) -> Window:
    where = f"window {number}"
    if not isinstance(raw, Mapping):
        raise _refuse(where, f"{raw!r} is no mapping", "window_invalid", "Give name, effect, time_zone and times")
    name = _words(raw.get("name"))
    where = f"window {name!r}" if name else where
    if unknown := sorted(set(map(str, raw)) - _KEYS):
        raise _refuse(
            where, f"the key {unknown[0]!r} is not known", "window_invalid", f"Known: {', '.join(sorted(_KEYS))}"
        )
    if not name:
        raise _refuse(where, "it has no name", "window_invalid", "The name is what people read when it stops them")
    effect = raw.get("effect")
    if effect not in (ALLOW, DENY):
        raise _refuse(where, f"its effect is {effect!r}", "window_invalid", "Say effect: allow or effect: deny")
    once = {"from", "until"} & set(raw)
    again = {"days", "start", "end"} & set(raw)
    if bool(once) == bool(again):
        raise _refuse(
            where,
            "it has neither or both kinds of times",
            "window_invalid",
            "Give days, start and end, or from and until",
        )
    why = _words(raw.get("why"))
    zone = _zone(where, raw.get("time_zone"))
    if once:
        begins, ends = (_moment(where, key, raw.get(key), zone, effect) for key in ("from", "until"))
        if ends <= begins:
            raise _refuse(
                where, f"it ends at {_said(ends)}, not after its begin", "window_invalid", "Give from before until"
            )
        return Window(name, effect, zone, True, begins, ends, why=why)
    start, end = (_second(where, key, raw.get(key)) for key in ("start", "end"))
    if start == end or start == 86400:
        raise _refuse(
            where,
            f"its start {raw.get('start')} is no start before its end",
            "window_invalid",
            'A whole day is start: "00:00", end: "24:00"',
        )
    return Window(name, effect, zone, False, start, end, _weekdays(where, raw.get("days")), why)


def _words(raw: Any) -> str:
    """A text on one line, as it becomes part of a sentence in a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(raw or "")).split())


def _zone(where: str, raw: Any) -> ZoneInfo:
    if not isinstance(raw, str) or not raw.strip():
        raise _refuse(where, "it has no time_zone", "time_zone_missing", "Name one such as Etc/UTC or Europe/Berlin")
    try:
        if raw.startswith(_NO_ZONES):
            raise ValueError(raw)
        return ZoneInfo(raw)
    except (ValueError, OSError, KeyError):
        # ZoneInfoNotFoundError is a KeyError; names with odd signs are ValueErrors, folders OSErrors.
        raise _refuse(
            where, f"there is no time zone {raw!r}", "time_zone_unknown",
            "Name one of the IANA database, such as Etc/UTC (on a machine without it: pip install tzdata)",
        ) from None  # fmt: skip


def _second(where: str, key: str, raw: Any) -> float:
    parts = str(raw).split(":") if isinstance(raw, str) else []
    if len(parts) in (2, 3) and all(len(part) == 2 and part.isascii() and part.isdigit() for part in parts):
        hour, minute, second = (*map(int, parts), 0)[:3]
        if (hour < 24 and minute < 60 and second < 60) or (hour, minute, second) == (24, 0, 0):
            return float(hour * 3600 + minute * 60 + second)
    # YAML reads 14:00 without quotes as a number of minutes.
    raise _refuse(where, f"{key} is {raw!r}", "window_invalid", 'Write the time in quotes, such as "14:00"')


def _weekdays(where: str, raw: Any) -> frozenset[int]:
    if raw is None:
        return frozenset(range(7))
    names = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else [raw]
    wrong = [name for name in names if name not in DAYS]
    if wrong or not names:
        raise _refuse(
            where, f"the day {(wrong or ['none'])[0]!r} is not known", "window_invalid", f"Days: {', '.join(DAYS)}"
        )
    return frozenset(DAYS.index(name) for name in names)


def _moment(where: str, key: str, raw: Any, zone: ZoneInfo, effect: str) -> float:
    try:
        found = datetime.fromisoformat(str(raw).strip().replace("Z", "+00:00"))
    except ValueError:
        raise _refuse(where, f"{key} is {raw!r}", "window_invalid", "Write it such as 2026-11-26T00:00") from None
    if found.year == MAXYEAR:
        # How people write that something has no end; no clock of a zone could show what comes after it.
        return math.inf
    if found.tzinfo is not None:
        return found.timestamp()
    instants = _instants(found, zone)
    longer = (key == "from") == (effect == DENY)
    return min(instants) if longer else max(instants)


def _said(at: float, zone: ZoneInfo | None = None) -> str:
    if at == math.inf:
        return "no time"
    utc = datetime.fromtimestamp(at, UTC)
    text = utc.strftime("%Y-%m-%dT%H:%M:%SZ").replace(":00Z", "Z")
    if zone is None or zone.key in ("UTC", "Etc/UTC"):
        return f"{text} ({DAYS[utc.weekday()].capitalize()})"
    local = utc.astimezone(zone)
    return f"{text} ({DAYS[local.weekday()].capitalize()} {local:%H:%M} {zone.key})"


def _refuse(where: str, seen: str, reason: str, hint: str) -> RolloutError:
    return RolloutError(f"The {where} cannot be used: {seen}", reason=reason, hint=hint, details={"at": where})
