# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many routes in one go: all or none planned, conflicts answered with a new look, a busy server with patience."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import Moved, Mover, Wanted, cut_one
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from mesh import Server, destination, fault, seen, target, virtual_service

NAMES = tuple(f"s{number}" for number in range(10))


def server(*names: str) -> Server:
    return Server(*(virtual_service(name=name) for name in names))


def move(api: Server, clock: Any, names: Sequence[str], wish: Wish) -> list[Moved]:
    mover = Mover(Kubernetes(api), clock, 10)
    wanted = [Wanted(target(name), wish) for name in names]
    return mover.patch(wanted, mover.plan(wanted))


def share(api: Server, name: str) -> float | None:
    return seen(api.objects[name]).split.share


def test_ten_services_are_ten_reads_and_ten_patches(clock: Any) -> None:
    api = server(*NAMES)
    moved = move(api, clock, NAMES, Wish(25, fence=1))
    assert (api.count("get"), api.count("patch")) == (10, 10)
    assert {share(api, name) for name in NAMES} == {25}
    assert all(item.after and item.plan.before == 10 for item in moved)


def test_the_same_weight_twice_is_one_read_and_no_write(clock: Any) -> None:
    api = server("api")
    move(api, clock, ["api"], Wish(25, fence=1))
    api.calls.clear()
    (again,) = move(api, clock, ["api"], Wish(25, fence=1))
    assert api.calls == [("get", "api")] and again.after is None


def test_if_one_cannot_be_planned_none_is_patched(clock: Any) -> None:
    api = server(*NAMES)
    api.objects["s4"] = virtual_service({"name": "other", "route": [destination("s4")]}, name="s4")
    del api.objects["s7"]
    with pytest.raises(RolloutError) as caught:
        move(api, clock, NAMES, Wish(25))
    assert api.count("patch") == 0
    assert "has no http route named primary" in caught.value.msg
    assert "2 of 10 routes cannot be planned, so none was changed" in caught.value.msg
    assert [item["reason"] for item in caught.value.details["faults"]] == ["route_unknown", "kube_not_found"]


def test_a_conflict_is_read_and_decided_again(clock: Any) -> None:
    api = server("api")

    def once(verb: str, name: str) -> None:
        if verb == "patch" and api.count("patch") == 1:
            document = virtual_service()
            document["spec"]["http"][1]["timeout"] = "5s"
            document["spec"]["http"].insert(0, {"name": "new", "route": [destination("x")]})
            api.write("api", document)

    api.before = once
    (moved,) = move(api, clock, ["api"], Wish(25, fence=3))
    assert (moved.reads, moved.patches) == (2, 2)
    assert share(api, "api") == 25
    # The other write stands as well.
    assert api.objects["api"]["spec"]["http"][2]["timeout"] == "5s"
    assert clock.slept == []


def test_a_conflict_that_was_a_newer_run_stops_us(clock: Any) -> None:
    api = server("api")
    api.before = lambda verb, name: (
        api.write("api", virtual_service(annotations={marks.FENCE: "4"})) if verb == "patch" else None
    )
    with pytest.raises(RolloutError) as caught:
        move(api, clock, ["api"], Wish(25, fence=3))
    assert caught.value.reason == "fence_lost"
    assert share(api, "api") == 10


def test_conflicts_without_end_are_bounded(clock: Any) -> None:
    api = server("api")
    api.before = lambda verb, name: api.write("api", virtual_service()) if verb == "patch" else None
    with pytest.raises(RolloutError) as caught:
        move(api, clock, ["api"], Wish(25))
    assert caught.value.reason == "conflict" and api.count("patch") == 5


def test_a_server_that_is_busy_for_a_moment(clock: Any) -> None:
    api = server("api")

    def busy(verb: str, name: str) -> None:
        if api.count(verb) <= 2:
            raise fault("kube_busy", 429, f"{verb}") if verb == "get" else fault("kube_status", 503, f"{verb}")

    api.before = busy
    (moved,) = move(api, clock, ["api"], Wish(25))
    assert share(api, "api") == 25 and moved.patches == 3 and clock.slept


def test_an_answer_that_got_lost_is_not_written_twice(clock: Any) -> None:
    api = server("api")
    patch = api.json_patch

    def lost(*words: Any) -> dict[str, Any]:
        patch(*words)
        raise fault("kube_timeout", 0, "patch got no answer")

    api.json_patch = lost  # type: ignore[method-assign]
    (moved,) = move(api, clock, ["api"], Wish(25, fence=2))
    assert share(api, "api") == 25 and moved.patches == 1 and api.count("patch") == 1


def test_rights_that_are_missing_are_said_at_once(clock: Any) -> None:
    api = server(*NAMES)

    def forbidden(verb: str, name: str) -> None:
        if verb == "patch" and name == "s3":
            raise fault("kube_forbidden", 403, "patch virtualservices/s3 was refused")

    api.before = forbidden
    with pytest.raises(RolloutError) as caught:
        move(api, clock, NAMES, Wish(25))
    assert caught.value.reason == "kube_forbidden"
    assert "1 of 10 routes were not changed, the other 9 say what was wanted" in caught.value.msg
    assert sum(share(api, name) == 25 for name in NAMES) == 9


def test_a_cut_by_the_provider_alone(clock: Any) -> None:
    """What a gate that holds the fuse calls."""
    api = server("api")
    after = Kubernetes(api).cut(target(), Cut("2.1.0", "now", "slo_violated"))
    assert after.split.share == 0 and marks.fence_of(after) == 1
    assert Kubernetes(api).cut(target(), Cut("2.1.0", "later", "again")).annotations == after.annotations
    assert api.count("patch") == 1


REASON = Cut("2.1.0", "now", "slo_violated")


def test_a_cut_of_a_route_that_was_read_before_is_one_patch(clock: Any) -> None:
    api = server("api")
    provider = Kubernetes(api)
    before = provider.observe(target())
    api.calls.clear()
    moved = cut_one(provider, clock, target(), REASON, seen=before)
    assert api.calls == [("patch", "api")] and share(api, "api") == 0
    assert moved.plan.before == 10 and "slo_violated" in str(seen(api.objects["api"]).annotations)


def test_a_cut_of_a_route_that_has_changed_since_is_read_again(clock: Any) -> None:
    api = server("api")
    provider = Kubernetes(api)
    before = provider.observe(target())
    move(api, clock, ["api"], Wish(60, fence=4))
    api.calls.clear()
    cut_one(provider, clock, target(), REASON, seen=before)
    assert api.calls == [("patch", "api"), ("get", "api"), ("patch", "api")]
    assert share(api, "api") == 0 and marks.fence_of(seen(api.objects["api"])) == 5


def test_a_cut_of_a_route_that_seemed_to_be_cut_looks_before_it_says_so(clock: Any) -> None:
    api = server("api")
    provider = Kubernetes(api)
    cut_one(provider, clock, target(), REASON)
    before = provider.observe(target())
    move(api, clock, ["api"], Wish(60, fence=4, release="2.1.0", lift_cut=True))
    cut_one(provider, clock, target(), REASON, seen=before)
    assert share(api, "api") == 0


def test_a_cut_under_a_fence_that_was_lost_meanwhile_is_refused(clock: Any) -> None:
    api = server("api")
    provider = Kubernetes(api)
    move(api, clock, ["api"], Wish(30, fence=3))
    before = provider.observe(target())
    move(api, clock, ["api"], Wish(60, fence=4))
    with pytest.raises(RolloutError):
        cut_one(provider, clock, target(), REASON, fence=3, seen=before)
    assert share(api, "api") == 60


def test_late_patches_of_a_zombie_change_nothing(clock: Any) -> None:
    """A hundred patches that were planned before a rollback took the next fence: the server refuses all of them."""
    api, refused = server("api"), 0
    provider = Kubernetes(api)
    move(api, clock, ["api"], Wish(50, fence=7))
    plans = [provider.plan(provider.observe(target()), Wish(weight, fence=7)) for weight in range(51, 151 - 50)]
    provider.cut(target(), Cut("2.1.0", "now", "by_hand"))
    for plan in plans:
        with pytest.raises(RolloutError) as caught:
            provider.patch(plan)
        refused += caught.value.reason == "kube_patch_test_failed"
    assert refused == len(plans) and share(api, "api") == 0
