# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to the status page, against a server that misbehaves, with a clock that nobody waits for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http import HttpError, Options
from ansible_collections.tars.rollout.plugins.module_utils._status.page import Limits, StatusPage, uncertain

TOKEN = "planted-token-4711"


def page(url: str, clock: Any, **limits: Any) -> StatusPage:
    options = Options(url, {"Authorization": f"OAuth {TOKEN}"})
    given = Limits(**{"timeout": 90.0, "rate_wait": 60.0, "pages": 3, **limits})
    return StatusPage(options, "p1", given, clock, Scrubber(), lambda: 0.0)


def answers(serve: Any, *replies: tuple[int, bytes, dict[str, str]]) -> Any:
    """A server that gives these answers, the last one again and again."""
    left = list(replies)

    def behave(handler: Any, server: Any) -> None:
        status, body, headers = left.pop(0) if len(left) > 1 else left[0]
        server.reply(handler, status, body, **headers)

    return serve(behave)


def test_it_waits_as_long_as_it_is_asked_to(serve: Any, clock: Any) -> None:
    server = answers(serve, (420, b"", {"Retry_After": "7"}), (429, b"", {"Retry_After": "0"}), (200, b"[]", {}))
    assert list(page(server.url, clock).incidents()) == [[]]
    assert clock.slept == [7.0, 1.0]
    assert server.seen[0][1] == "/pages/p1/incidents?limit=100&page=1"
    assert server.seen[0][2]["authorization"] == f"OAuth {TOKEN}"


def test_without_a_time_it_waits_two_seconds_and_then_more(serve: Any, clock: Any) -> None:
    server = answers(serve, (429, b"", {}))
    with pytest.raises(HttpError, match="HTTP 429"):
        page(server.url, clock).components()
    assert clock.slept == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(("limits", "asked"), [({"rate_wait": 5.0}, "6"), ({"timeout": 3.0}, "4")])
def test_a_longer_wait_fails_at_once(serve: Any, clock: Any, limits: dict[str, float], asked: str) -> None:
    server = answers(serve, (420, b"", {"Retry_After": asked}))
    with pytest.raises(HttpError) as caught:
        page(server.url, clock, **limits).components()
    assert "HTTP 420" in str(caught.value) and f"Retry-After: {asked}" in str(caught.value)
    assert clock.slept == [] and len(server.seen) == 1


def test_a_fault_of_the_service_is_waited_for_in_the_same_way(serve: Any, clock: Any) -> None:
    server = answers(serve, (520, b"", {}), (503, b"", {"Retry_After": "9"}), (200, b"[]", {}))
    assert page(server.url, clock).components() == [] and clock.slept == [2.0, 9.0]


def test_a_wait_is_never_longer_than_may_be_waited(serve: Any, clock: Any) -> None:
    server = answers(serve, (500, b"", {}), (200, b"[]", {}))
    assert page(server.url, clock, rate_wait=1.5).components() == [] and clock.slept == [1.5]


@pytest.mark.parametrize(("asked", "slept"), [("", [2.0]), ("9", [9.0]), ("0", [1.0])])
def test_it_looks_after_a_write_when_the_service_wants_to_be_asked(
    serve: Any, clock: Any, asked: str, slept: list[float]
) -> None:
    held = page(answers(serve, (503, b"", {"Retry_After": asked} if asked else {})).url, clock)
    with pytest.raises(HttpError) as caught:
        held.create({"name": "x"})
    held.wait_after(caught.value)
    assert clock.slept == slept


def test_a_look_that_would_be_too_late_is_left_to_the_next_run(serve: Any, clock: Any) -> None:
    held = page(answers(serve, (503, b"", {"Retry_After": "300"})).url, clock)
    with pytest.raises(HttpError) as caught:
        held.create({"name": "x"})
    with pytest.raises(HttpError, match="it looks first"):
        held.wait_after(caught.value)
    assert clock.slept == []


def test_a_token_that_cannot_be_sent_is_refused_without_telling_it(serve: Any, clock: Any) -> None:
    server = answers(serve, (200, b"[]", {}))
    held = StatusPage(Options(server.url, {"Authorization": "OAuth a\u2026b"}), "p", Limits(9, 9, 1), clock, Scrubber())
    with pytest.raises(HttpError, match="characters that cannot be sent") as caught:
        held.components()
    assert caught.value.reason == "http_invalid" and server.seen == [] and clock.slept == []
    assert "2026" not in str(caught.value) and "\u2026" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Hello</html>",
        b"",
        b"null",
        b"{}",
        b"[1]",
        b'[{"id": 5}]',
        b"[",
        b"[[[[",
        b'[{"id": "i", "components": [{}]}]',
    ],
)
def test_an_odd_list_is_an_error_and_never_empty(serve: Any, clock: Any, body: bytes) -> None:
    server = answers(serve, (200, body, {}))
    with pytest.raises(HttpError) as caught:
        list(page(server.url, clock).incidents())
    assert caught.value.reason == "http_not_json" and TOKEN not in json.dumps(caught.value.payload(Scrubber()))


@pytest.mark.parametrize("body", [b"<html>Hello</html>", b"", b"[]", b"{}", b'{"id": null}'])
def test_after_an_odd_answer_to_a_creation_nobody_knows(serve: Any, clock: Any, body: bytes) -> None:
    server = answers(serve, (201, body, {}))
    with pytest.raises(HttpError) as caught:
        page(server.url, clock).create({"name": "x"})
    assert uncertain(caught.value) and len(server.seen) == 1


def test_a_creation_is_never_repeated_by_itself(serve: Any, clock: Any) -> None:
    server = answers(serve, (502, b"<html>Bad gateway</html>", {}))
    with pytest.raises(HttpError) as caught:
        page(server.url, clock).create({"name": "x"})
    assert uncertain(caught.value) and len(server.seen) == 1


@pytest.mark.parametrize(("fields", "tries"), [({"status": "resolved"}, 1), ({"body": "x"}, 1), ({"name": "x"}, 5)])
def test_an_update_that_is_published_is_sent_once(serve: Any, clock: Any, fields: Any, tries: int) -> None:
    server = answers(serve, (503, b"", {}))
    with pytest.raises(HttpError):
        page(server.url, clock).update("i", fields)
    assert len(server.seen) == tries


def test_a_refusal_is_certain(serve: Any, clock: Any) -> None:
    server = answers(serve, (422, b'{"error": ["no"]}', {}))
    with pytest.raises(HttpError) as caught:
        page(server.url, clock).create({"name": "x"})
    assert not uncertain(caught.value)


def test_an_incomplete_search_is_an_error(serve: Any, clock: Any) -> None:
    full = json.dumps([{"id": f"i{index}"} for index in range(100)]).encode()
    server = answers(serve, (200, full, {}))
    with pytest.raises(RolloutError, match="lookup_max_pages"):
        list(page(server.url, clock).incidents())
    assert len(server.seen) == 3


def test_nothing_is_sent_when_the_time_is_over(serve: Any, clock: Any) -> None:
    server = answers(serve, (200, b"[]", {}))
    held = page(server.url, clock, timeout=5.0)
    clock.time += 6
    with pytest.raises(RolloutError, match="timeout"):
        held.components()
    assert server.seen == []


def test_ids_cannot_leave_their_place_in_the_path(serve: Any, clock: Any) -> None:
    server = answers(serve, (200, b'{"id": "x"}', {}))
    page(server.url, clock).incident("../components?x=1")
    assert server.seen[0][1] == "/pages/p1/incidents/..%2Fcomponents%3Fx%3D1"


def test_a_postmortem_that_is_not_there_is_empty(serve: Any, clock: Any) -> None:
    assert page(answers(serve, (404, b"", {})).url, clock).postmortem("i") == {}
    assert page(answers(serve, (200, b'{"body": null}', {})).url, clock).postmortem("i") == {"body": None}
