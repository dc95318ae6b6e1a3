# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows where clocks and calendars are odd: each minute around them is compared with zoneinfo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import windows

BERLIN = "Europe/Berlin"


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def weekly(effect: str, zone: str, start: str, end: str, *days: str) -> dict[str, Any]:
    chosen = {"days": list(days)} if days else {}
    return {"name": f"{effect} {start}", "effect": effect, "time_zone": zone, "start": start, "end": end, **chosen}


def holds(raw: dict[str, Any], instant: float) -> bool:
    """Written from the promise: the wall clock is between start and end, on a day on which that stretch began."""
    wall = datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(raw["time_zone"]))
    now, start, end = wall.strftime("%H:%M:%S"), f"{raw['start']}:00", f"{raw['end']}:00"
    today, before = (windows.DAYS[(wall.weekday() - back) % 7] in raw.get("days", windows.DAYS) for back in (0, 1))
    return today and start <= now < end if start < end else (today and now >= start) or (before and now < end)


def minutes(middle: str) -> Iterator[float]:
    """The first and the last second of each minute of the hours around it, and every ten minutes of the days."""
    for minute in range(-240, 240):
        yield from (at(middle) + minute * 60, at(middle) + minute * 60 + 59)
    yield from (at(middle) + minute * 60 for minute in range(-1800, 1800, 10))


@pytest.mark.parametrize(
    ("middle", "zone", "start", "end", "days"),
    [
        # The hour that is skipped: a window in it, across its begin, across its end, over midnight, around the day.
        ("2026-03-29T01:00Z", BERLIN, "02:15", "02:45", ()),
        ("2026-03-29T01:00Z", BERLIN, "01:30", "02:30", ("sun",)),
        ("2026-03-29T01:00Z", BERLIN, "02:30", "03:30", ("sun",)),
        ("2026-03-29T01:00Z", BERLIN, "22:00", "03:00", ("sat",)),
        ("2026-03-29T01:00Z", BERLIN, "03:00", "02:00", ("sun",)),
        # The hour that comes twice.
        ("2026-10-25T01:00Z", BERLIN, "02:15", "02:45", ()),
        ("2026-10-25T01:00Z", BERLIN, "02:30", "03:30", ("sun",)),
        ("2026-10-25T01:00Z", BERLIN, "22:00", "02:30", ("sat",)),
        ("2026-10-25T01:00Z", BERLIN, "02:59", "02:01", ("sun",)),
        # Midnight itself is skipped, or comes twice.
        ("2026-04-24T00:00Z", "Africa/Cairo", "00:00", "01:30", ("fri",)),
        ("2026-04-24T00:00Z", "Africa/Cairo", "23:30", "00:30", ("thu",)),
        ("2026-10-29T21:00Z", "Africa/Cairo", "23:30", "00:30", ("thu",)),
        ("2026-03-29T00:00Z", "Asia/Beirut", "00:00", "24:00", ("sun",)),
        ("2026-03-08T05:00Z", "America/Havana", "23:00", "00:15", ("sat",)),
        ("2026-11-01T05:00Z", "America/Havana", "00:00", "01:00", ("sun",)),
        ("2026-09-06T04:00Z", "America/Santiago", "23:45", "01:15", ("sat",)),
        # Half an hour, three quarters, two hours; the other hemisphere; a summer time that is the standard one.
        ("2026-10-03T15:30Z", "Australia/Lord_Howe", "01:50", "02:40", ("sun",)),
        ("2026-04-04T15:00Z", "Australia/Lord_Howe", "01:40", "01:50", ("sun",)),
        ("2026-09-26T14:00Z", "Pacific/Chatham", "02:30", "03:50", ("sun",)),
        ("2026-03-29T01:00Z", "Antarctica/Troll", "00:30", "03:30", ("sun",)),
        ("2026-10-25T01:00Z", "Antarctica/Troll", "01:30", "02:30", ()),
        ("2026-10-25T01:00Z", "Europe/Dublin", "01:00", "02:00", ("sun",)),
        # Offsets that are no whole hours, and the far ends of the day.
        ("2026-06-15T00:00Z", "Asia/Kathmandu", "23:50", "00:10", ("mon",)),
        ("2026-06-15T00:00Z", "Asia/Kolkata", "05:25", "05:35", ()),
        ("2026-06-15T00:00Z", "America/St_Johns", "21:25", "21:35", ()),
        ("2026-06-15T00:00Z", "Pacific/Kiritimati", "00:00", "24:00", ("mon",)),
        ("2026-06-15T00:00Z", "Etc/GMT+12", "12:00", "11:59", ("sun",)),
        # A month without summer time in the middle of it.
        ("2026-02-15T02:00Z", "Africa/Casablanca", "02:00", "03:00", ()),
        ("2026-03-22T02:00Z", "Africa/Casablanca", "02:30", "02:00", ("sun",)),
        # The week and the year turn; the day that comes every four years.
        ("2027-01-01T00:00Z", "Etc/UTC", "23:00", "01:00", ("thu",)),
        ("2026-06-15T00:00Z", "Etc/UTC", "22:00", "06:00", ("sun",)),
        ("2028-02-29T12:00Z", "America/New_York", "20:00", "04:00", ("tue",)),
    ],
)
def test_each_minute_is_that_of_zoneinfo(middle: str, zone: str, start: str, end: str, days: tuple[str, ...]) -> None:
    raw = weekly("allow", zone, start, end, *days)
    parsed = windows.parse([raw])
    asked = [(windows.decide_allowed(parsed, instant), holds(raw, instant)) for instant in minutes(middle)]
    assert all(ours == theirs for ours, theirs in asked)
    # Else nothing would have been compared.
    assert {ours for ours, _theirs in asked} == {True, False}


@pytest.mark.parametrize(
    ("deny", "middle"),
    [
        ({"from": "2026-10-25T02:30", "until": "2026-10-25T04:00"}, "2026-10-25T01:00Z"),
        ({"from": "2026-03-28T00:00", "until": "2026-03-29T02:30"}, "2026-03-29T01:00Z"),
        ({"from": "2028-02-29", "until": "2028-03-01"}, "2028-02-29T12:00Z"),
        ({"from": "2026-12-31T22:59:30", "until": "2027-01-01T00:00:30"}, "2026-12-31T23:00Z"),
    ],
)
def test_a_dated_deny_over_a_weekly_allow(deny: dict[str, str], middle: str) -> None:
    """Deny wins where it holds, by the longer reading of its times; elsewhere the weekly window decides."""
    allow = weekly("allow", BERLIN, "01:00", "23:00")
    dated = {"name": "dated", "effect": "deny", "time_zone": BERLIN, **deny}
    edges = [datetime.fromisoformat(deny[key]).replace(tzinfo=ZoneInfo(BERLIN)) for key in ("from", "until")]
    begin = min(edges[0].replace(fold=fold).timestamp() for fold in (0, 1))
    end = max(edges[1].replace(fold=fold).timestamp() for fold in (0, 1))
    parsed = windows.parse([allow, dated], "deny_wins")
    for instant in minutes(middle):
        expected = holds(allow, instant) and not begin <= instant < end
        assert windows.decide_allowed(parsed, instant) == expected, datetime.fromtimestamp(instant, UTC)
    with pytest.raises(RolloutError) as caught:
        windows.parse([allow, dated], now=begin - 86400)
    assert caught.value.reason == "windows_overlap"


@pytest.mark.parametrize("zone", ["Etc/UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("until", ["9999-12-31", "9999-12-31T23:59:59", "9999-01-01T00:00Z"])
def test_a_freeze_without_an_end(zone: str, until: str) -> None:
    freeze = {"name": "for good", "effect": "deny", "time_zone": zone, "from": "0001-01-02", "until": until}
    now = at("2026-11-24T15:00Z")
    parsed = windows.parse([freeze, weekly("allow", zone, "08:00", "18:00")], "deny_wins", now)
    answer = windows.decide(parsed, now)
    assert (answer.code, answer.text, answer.changes_at) == ("frozen", "'for good' denies it", None)
    with pytest.raises(RolloutError) as caught:
        windows.parse([{**freeze, "from": "9999-06-01"}])
    assert caught.value.reason == "window_invalid"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/Berlin", "UTC+2"])
def test_a_zone_that_is_another_one_elsewhere(zone: str) -> None:
    with pytest.raises(RolloutError) as caught:
        windows.parse([weekly("allow", zone, "08:00", "18:00")])
    assert caught.value.reason == "time_zone_unknown"


def test_words_stay_on_their_line() -> None:
    raw = {**weekly("deny", "Etc/UTC", "00:00", "24:00"), "why": "a sale\nOUTCOME promoted\x1b[2J"}
    answer = windows.decide(windows.parse([raw]), at("2026-11-24T15:00Z"))
    assert answer.text == "'deny 00:00' denies it (a sale OUTCOME promoted [2J)"


def test_the_next_change_lies_after_a_skipped_hour() -> None:
    parsed = windows.parse([weekly("allow", BERLIN, "02:15", "02:45", "sun")])
    answer = windows.decide(parsed, at("2026-03-29T00:30Z"))
    assert answer.changes_at == at("2026-04-05T00:15Z")
