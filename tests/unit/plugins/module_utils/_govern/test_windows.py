# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows against zoneinfo itself: the wall clock of each zone, minute by minute, over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import windows
from hypothesis import example, given, settings
from hypothesis import strategies as st

# Both hemispheres, half hours, a zone that changes its clock at midnight, one that changes by half an hour, and none.
ZONES = (
    "Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago",
    "Africa/Cairo", "Pacific/Auckland",
)  # fmt: skip
WEEKLY = {
    "name": "weekly",
    "effect": "allow",
    "days": ["tue", "wed", "thu"],
    "start": "14:00",
    "end": "18:00",
    "time_zone": "Etc/UTC",
}


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def weekly(draw: st.DrawFn, effect: str = "") -> dict[str, Any]:
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(1, 1440).filter(lambda value: value != start))
    days = draw(st.sets(st.sampled_from(windows.DAYS), min_size=1))
    return {
        "name": f"w{start}-{end}", "effect": effect or draw(st.sampled_from(["allow", "deny"])), "days": sorted(days),
        "start": clock(start), "end": clock(end), "time_zone": draw(st.sampled_from(ZONES)),
    }  # fmt: skip


INSTANTS = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),
    # Around changes of the clock of the zones above.
    st.sampled_from(
        ["2026-03-29T01:00", "2026-10-25T01:00", "2026-11-01T06:00", "2026-03-08T07:00", "2026-04-04T15:00"]
    )
    .map(datetime.fromisoformat)
    .flatmap(lambda moment: st.integers(-180, 180).map(lambda minutes: moment + timedelta(minutes=minutes))),
).map(lambda moment: moment.replace(tzinfo=UTC).timestamp())


def by_zoneinfo(raw: dict[str, Any], instant: float) -> bool:
    """Written anew from the promise: what the wall clock says, and the day on which that stretch began."""
    wall = datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(raw["time_zone"]))
    now = wall.strftime("%H:%M:%S.%f")
    today, yesterday = (windows.DAYS[(wall.weekday() - back) % 7] in raw["days"] for back in (0, 1))
    start, end = (f"{raw[key]}:00.000000" for key in ("start", "end"))
    if start < end:
        return today and start <= now < end
    return (today and now >= start) or (yesterday and now < end)


def once_by_zoneinfo(raw: dict[str, Any], instant: float) -> bool:
    """Written anew from the promise, by walking the wall clock for three hours to both sides, minute by minute.

    A deny has begun once the clock has shown its begin, and ends when it never shows a time before its end again. An
    allow begins when the clock never again shows a time before its begin, and has ended once it has shown its end.
    """
    zone = ZoneInfo(raw["time_zone"])

    def wall(minutes: int) -> str:
        return datetime.fromtimestamp(instant + minutes * 60, UTC).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.%f")

    past, future = [wall(-back) for back in range(181)], [wall(ahead) for ahead in range(181)]
    since, until = f"{raw['from']}:00.000000", f"{raw['until']}:00.000000"
    if raw["effect"] == "deny":
        return any(shown >= since for shown in past) and any(shown < until for shown in future)
    return all(shown >= since for shown in future) and all(shown < until for shown in past)


def skipped(text: str, zone: str) -> bool:
    """Whether the clock of the zone never shows that time."""
    shown = [datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
    return all(at.astimezone(UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") != text for at in shown)


# Each example of some of these looks a year ahead, which a loaded machine does not do within Hypothesis' time for one.
AHEAD = settings(deadline=None, max_examples=40)


@settings(deadline=None, max_examples=400)
@given(weekly(), INSTANTS)
def test_every_answer_is_that_of_zoneinfo(raw: dict[str, Any], instant: float) -> None:
    (window,) = windows.parse([raw])
    assert window.contains(instant) == by_zoneinfo(raw, instant)


@settings(deadline=None, max_examples=300)
@given(
    INSTANTS, st.sampled_from(ZONES), st.sampled_from(["allow", "deny"]), st.integers(-120, 120), st.integers(1, 240)
)
# From 02:30, which that clock skips, until 03:15: taken as from 03:30 it is empty, and refused.
@example(at("2026-03-29T01:05:00+00:00"), "Europe/Berlin", "allow", 35, 45)
def test_once_is_what_the_wall_clock_says(instant: float, zone: str, effect: str, before: int, length: int) -> None:
    instant = instant // 60 * 60
    since = datetime.fromtimestamp(instant, ZoneInfo(zone)).replace(tzinfo=None, fold=0) - timedelta(minutes=before)
    raw = {"name": "once", "effect": effect, "time_zone": zone, "from": since.strftime("%Y-%m-%dT%H:%M")}
    raw["until"] = (since + timedelta(minutes=length)).strftime("%Y-%m-%dT%H:%M")
    try:
        (window,) = windows.parse([raw])
    except RolloutError:
        # The shorter reading of an allow around a change of the clock can be empty; a deny always means something.
        assert effect == "allow"
        mine = False
    else:
        mine = window.contains(instant)
    theirs = once_by_zoneinfo(raw, instant)
    if any(skipped(raw[key], zone) for key in ("from", "until")):
        # Such a time is taken an hour off, always to the side on which less is allowed.
        assert mine >= theirs if effect == "deny" else mine <= theirs
    else:
        assert mine == theirs


@AHEAD
@given(st.lists(weekly(), min_size=1, max_size=4, unique_by=lambda raw: raw["name"]), INSTANTS)
def test_no_instant_is_both_allowed_and_denied(raws: list[dict[str, Any]], instant: float) -> None:
    """The stated rule decides wherever windows meet; without it the windows are refused as soon as two can meet."""
    answer = windows.decide(windows.parse(raws, "deny_wins"), instant)
    held = {raw["effect"] for raw in raws if by_zoneinfo(raw, instant)}
    allows = any(raw["effect"] == "allow" for raw in raws)
    assert answer.allowed == ("deny" not in held and ("allow" in held or not allows))
    assert answer.code == ("open" if answer.allowed else "frozen" if "deny" in held else "closed")
    if held == {"allow", "deny"}:
        with pytest.raises(RolloutError) as caught:
            windows.parse(raws, now=instant)
        assert caught.value.reason == "windows_overlap"


@AHEAD
@given(st.lists(weekly(), min_size=1, max_size=3, unique_by=lambda raw: raw["name"]), INSTANTS)
def test_the_announced_change_is_the_next_one(raws: list[dict[str, Any]], instant: float) -> None:
    parsed = windows.parse(raws, "deny_wins")
    answer = windows.decide(parsed, instant)
    until = answer.changes_at if answer.changes_at is not None else instant + 14 * 86400
    step = instant
    while step < min(until, instant + 3 * 86400):
        assert windows.decide_allowed(parsed, step) == answer.allowed
        step += 601
    if answer.changes_at is not None:
        assert windows.decide_allowed(parsed, answer.changes_at) != answer.allowed
        assert windows.decide_allowed(parsed, answer.changes_at - 1) == answer.allowed


@AHEAD
@given(weekly("allow"), weekly("deny"), INSTANTS)
def test_overlaps_are_found_and_only_those(one: dict[str, Any], other: dict[str, Any], now: float) -> None:
    other["name"] = "other"
    found = windows.overlapping(windows.parse([one, other], "deny_wins"), now)
    if found:
        assert by_zoneinfo(one, found[2]) and by_zoneinfo(other, found[2])
    else:
        assert not any(
            by_zoneinfo(one, now + minute * 60) and by_zoneinfo(other, now + minute * 60)
            for minute in range(0, 8 * 1440, 7)
        )


@pytest.mark.parametrize(
    ("start", "end", "instant", "inside"),
    [
        # 2026-10-25 in Berlin: the hour from 2 to 3 comes twice, and both are in the window.
        ("02:00", "03:00", "2026-10-25T00:30:00Z", True),
        ("02:00", "03:00", "2026-10-25T01:30:00Z", True),
        ("02:00", "03:00", "2026-10-25T02:00:00Z", False),
        # 2026-03-29: that hour does not come.
        ("02:00", "03:00", "2026-03-29T00:59:59Z", False),
        ("02:00", "03:00", "2026-03-29T01:00:00Z", False),
        ("02:30", "03:30", "2026-03-29T01:15:00Z", True),
        ("00:00", "24:00", "2026-03-29T21:59:59Z", True),
    ],
)
def test_changes_of_the_clock(start: str, end: str, instant: str, inside: bool) -> None:
    (window,) = windows.parse([{**WEEKLY, "days": ["sun"], "start": start, "end": end, "time_zone": "Europe/Berlin"}])
    assert window.contains(at(instant)) is inside


@pytest.mark.parametrize(
    ("effect", "first", "last"),
    # From 02:30, which comes twice, until 02:45 of the same night, which comes twice as well.
    [("deny", "2026-10-25T00:30:00Z", "2026-10-25T01:44:59Z"), ("allow", None, None)],
)
def test_once_in_the_repeated_hour(effect: str, first: str | None, last: str | None) -> None:
    raw = {
        "name": "once",
        "effect": effect,
        "from": "2026-10-25T02:30",
        "until": "2026-10-25T02:45",
        "time_zone": "Europe/Berlin",
    }
    if first is None or last is None:
        with pytest.raises(RolloutError):
            windows.parse([raw])
        return
    (window,) = windows.parse([raw])
    assert window.contains(at(first)) and window.contains(at(last))
    assert not window.contains(at(first) - 1) and not window.contains(at(last) + 1)


def test_an_offset_in_a_time_wins_over_the_zone() -> None:
    (window,) = windows.parse(
        [
            {
                "name": "x",
                "effect": "deny",
                "from": "2026-11-26T00:00:00Z",
                "until": "2026-11-27T00:00:00-05:00",
                "time_zone": "Asia/Kathmandu",
            }
        ]
    )
    assert (window.begins, window.ends) == (at("2026-11-26T00:00:00Z"), at("2026-11-27T05:00:00Z"))


def test_texts_name_window_and_change() -> None:
    freeze = {
        "name": "sale",
        "effect": "deny",
        "from": "2026-11-26T00:00",
        "until": "2026-11-30T00:00",
        "time_zone": "America/New_York",
        "why": "black friday",
    }
    parsed = windows.parse([WEEKLY, freeze], "deny_wins", at("2026-11-20T00:00Z"))
    answer = windows.decide(parsed, at("2026-11-26T15:00:00Z"))
    assert (
        answer.text == "'sale' denies it (black friday), open again at 2026-12-01T14:00Z (Tue 09:00 America/New_York)"
    )
    assert (
        windows.decide(parsed, at("2026-12-01T14:30:00Z")).text == "'weekly' allows it, until 2026-12-01T18:00Z (Tue)"
    )
    assert (
        windows.decide(parsed, at("2026-12-04T14:30:00Z")).text
        == "no window holds now, open again at 2026-12-08T14:00Z (Tue)"
    )
    assert windows.decide((), 0.0) == windows.Answer(True, "open", "", "there are no windows", None)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone_unknown", "no time zone 'Mars/Olympus'"),
        ({"time_zone": "../../etc/passwd"}, "time_zone_unknown", "no time zone"),
        ({"time_zone": "America"}, "time_zone_unknown", "no time zone"),
        ({"time_zone": None}, "time_zone_missing", "no time_zone"),
        ({"effect": "freeze"}, "window_invalid", "effect is 'freeze'"),
        ({"effect": None}, "window_invalid", "effect is None"),
        ({"start": 840}, "window_invalid", "start is 840"),
        ({"end": "25:00"}, "window_invalid", "end is '25:00'"),
        ({"start": "18:00"}, "window_invalid", "no start before its end"),
        ({"days": ["tuesday"]}, "window_invalid", "the day 'tuesday'"),
        ({"from": "2026-01-01T00:00"}, "window_invalid", "both kinds of times"),
        ({"name": ""}, "window_invalid", "no name"),
        ({"zone": "x"}, "window_invalid", "the key 'zone'"),
    ],
)
def test_bad_windows(change: dict[str, Any], reason: str, words: str) -> None:
    with pytest.raises(RolloutError) as caught:
        windows.parse([{**WEEKLY, **change}])
    assert caught.value.reason == reason and words in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        "always",
        [1],
        [WEEKLY, WEEKLY],
        [{"name": "x", "effect": "deny", "from": "soon", "until": "later", "time_zone": "Etc/UTC"}],
    ],
)
def test_bad_lists(raw: Any) -> None:
    with pytest.raises(RolloutError):
        windows.parse(raw)


def test_the_same_hours_as_freeze_and_as_window_are_refused() -> None:
    """Tuesday to Thursday from 14 to 18 hours UTC is both in one of the runbooks."""
    freeze = {**WEEKLY, "name": "freeze", "effect": "deny"}
    with pytest.raises(RolloutError) as caught:
        windows.parse([WEEKLY, freeze], now=at("2026-11-20T00:00Z"))
    assert str(caught.value).startswith(
        "The windows 'weekly' (allow) and 'freeze' (deny) cannot be used: both hold at 2026-11-24T14:00Z"
    )
    assert not windows.decide(
        windows.parse([WEEKLY, freeze], "deny_wins", at("2026-11-20T00:00Z")), at("2026-11-24T15:00Z")
    ).allowed
