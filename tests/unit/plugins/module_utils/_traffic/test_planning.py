# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a split and a wish to a JSON Patch: fences, cuts, second writers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks, planning, writers
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, TrafficError, Wish
from mesh import apply, destination, seen, virtual_service

CUT = Cut("2.1.0", "2026-01-31T12:00:00.000Z", "slo_violated")


def plan(wish: Wish, annotations: Mapping[str, str] | None = None, document: Any = None) -> Any:
    return planning.plan(seen(document or virtual_service(annotations=annotations)), wish)


def refused(wish: Wish, annotations: Mapping[str, str] | None = None, document: Any = None) -> TrafficError:
    with pytest.raises(TrafficError) as caught:
        plan(wish, annotations, document)
    return caught.value


def guarded(ops: Any) -> dict[str, Any]:
    return {op["path"]: op["value"] for op in ops if op["op"] == "test"}


def test_tests_lead_and_the_first_annotation_tests_the_version() -> None:
    ops = plan(Wish(25, fence=7)).ops
    assert [op["op"] for op in ops] == ["test", "test", "test", "add", "add", "add"]
    assert guarded(ops)["/metadata/resourceVersion"] == "5"
    assert guarded(ops)["/spec/http/1/name"] == "primary"
    assert guarded(ops)["/spec/http/1/route"] == [destination("api", 90), destination("api-canary", 10)]
    done = apply(virtual_service(), ops)
    assert done["metadata"]["annotations"] == {marks.FENCE: "7"}


def test_a_fence_that_is_there_is_guarded() -> None:
    ops = plan(Wish(25, fence=7), {marks.FENCE: "6"}).ops
    assert guarded(ops)["/metadata/annotations/ga.rollout~1fence"] == "6"
    assert "/metadata/resourceVersion" not in guarded(ops)


def test_the_same_weight_under_the_same_fence_needs_no_write() -> None:
    assert plan(Wish(10, fence=7), {marks.FENCE: "7"}).ops == ()
    assert plan(Wish(10)).ops == ()


def test_the_same_weight_under_a_new_fence_claims_the_route() -> None:
    writes = [op for op in plan(Wish(10, fence=7), {marks.FENCE: "6"}).ops if op["op"] != "test"]
    assert writes == [{"op": "add", "path": "/metadata/annotations/ga.rollout~1fence", "value": "7"}]


def test_the_same_share_on_another_scale_stays() -> None:
    route = {"name": "primary", "route": [destination("api", 9), destination("api-canary", 1)]}
    assert plan(Wish(10), document=virtual_service(route)).ops == ()


def test_an_old_fence_is_refused() -> None:
    error = refused(Wish(25, fence=7), {marks.FENCE: "8"})
    assert error.reason == "fence_lost"
    assert "carries the fence 8 and this run holds 7" in error.msg


def test_a_fence_written_by_hand() -> None:
    assert refused(Wish(25, fence=7), {marks.FENCE: "seven"}).reason == "fence_unreadable"
    # It stops no cut.
    done = apply(
        virtual_service(annotations={marks.FENCE: "seven"}), plan(Wish(0, cut=CUT), {marks.FENCE: "seven"}).ops
    )
    assert seen(done).split.share == 0


def test_a_cut_takes_the_next_fence_and_tells_why() -> None:
    done = apply(virtual_service(annotations={marks.FENCE: "7"}), plan(Wish(0, cut=CUT), {marks.FENCE: "7"}).ops)
    assert done["metadata"]["annotations"][marks.FENCE] == "8"
    assert json.loads(done["metadata"]["annotations"][marks.CUT])["reason"] == "slo_violated"
    assert marks.cut_of(seen(done)) == CUT
    # Once: a second one changes nothing, the first reason and moment stay.
    assert planning.plan(seen(done), Wish(0, cut=Cut("2.1.0", "later", "by_hand"))).ops == ()


def test_a_cut_by_a_newer_release_is_a_new_one() -> None:
    old = {marks.CUT: json.dumps({"release": "2.0.0", "time": "t", "reason": "r"}), marks.FENCE: "3"}
    done = apply(virtual_service(annotations=old), plan(Wish(0, cut=CUT), old).ops)
    assert (done["metadata"]["annotations"][marks.FENCE], marks.cut_of(seen(done))) == ("4", CUT)


@pytest.mark.parametrize("text", [json.dumps({"release": "2.1.0", "time": "t", "reason": "slo_violated"}), "by hand"])
def test_a_route_that_was_cut_gets_no_weight_again(text: str) -> None:
    error = refused(Wish(25, release="2.1.0"), {marks.CUT: text})
    assert error.reason == "route_is_cut"
    assert "it gets no weight again" in error.msg
    assert plan(Wish(0, release="2.1.0"), {marks.CUT: text}).ops


def test_the_cut_of_another_release_goes_with_the_first_weight() -> None:
    marked = {marks.CUT: json.dumps({"release": "2.0.0", "time": "t", "reason": "r"}), "note": "x"}
    done = apply(virtual_service(annotations=marked), plan(Wish(25, release="2.1.0"), marked).ops)
    assert done["metadata"]["annotations"] == {"note": "x"}


def test_a_cut_may_be_lifted() -> None:
    marked = {marks.CUT: json.dumps({"release": "2.1.0", "time": "t", "reason": "controller_lost"})}
    assert plan(Wish(25, release="2.1.0", lift_cut=True), marked).ops


def test_another_destination_keeps_its_part_or_refuses() -> None:
    route = {"name": "primary", "route": [destination("api", 50), destination("api-canary"), destination("x", 50)]}
    document = virtual_service(route)
    done = apply(document, plan(Wish(10), document=document).ops)
    assert [entry["weight"] for entry in done["spec"]["http"][0]["route"]] == [45, 5, 50]
    assert refused(Wish(25), document=document).reason == "weight_inexpressible"
    assert plan(Wish(0), document=document).ops == ()


def managed(manager: str, at: str, annotations: Mapping[str, str], *more: Mapping[str, Any]) -> Any:
    document = virtual_service(annotations=annotations)
    entry = {"manager": manager, "time": at, "fieldsV1": {"f:spec": {"f:http": {}}}}
    document["metadata"]["managedFields"] = [entry, *more]
    return document


def test_a_second_writer_is_named() -> None:
    document = managed("argocd-controller", "2026-01-31T12:00:00Z", {marks.FENCE: "7"})
    error = refused(Wish(25, fence=7), document=document)
    assert error.reason == "second_writer"
    assert "was changed by argocd-controller at 2026-01-31T12:00:00Z" in error.msg
    # Neither the first write of a run nor a cut asks who wrote before.
    assert plan(Wish(25, fence=8), document=document).ops
    assert plan(Wish(0, cut=CUT), document=document).ops


@pytest.mark.parametrize(
    "ours_at,named",
    [("2026-01-31T11:59:59Z", True), ("2026-01-31T12:00:00Z", True), ("2026-01-31T12:00:01Z", False)],
)
def test_who_wrote_before_our_annotations_is_no_second_writer(ours_at: str, named: bool) -> None:
    ours = {"manager": "tars.rollout", "time": ours_at, "fieldsV1": {"f:metadata": {"f:annotations": {}}}}
    document = managed("helm", "2026-01-31T12:00:00Z", {marks.FENCE: "7"}, ours)
    if named:
        assert refused(Wish(25, fence=7), document=document).reason == "second_writer"
    else:
        assert plan(Wish(25, fence=7), document=document).ops


FLAGGER = {"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "api"}]}
ROLLOUT = {"ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api"}]}
BY_NAME = [{"manager": "rollouts-controller", "time": "2026-01-31T12:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}}]


@pytest.mark.parametrize(
    ("metadata", "owner", "words"),
    [
        (FLAGGER, "flagger", "belongs to Flagger's Canary api"),
        (ROLLOUT, "argo_rollouts", "belongs to the Rollout api of Argo Rollouts"),
        ({"managedFields": BY_NAME}, "argo_rollouts", "was last written by rollouts-controller"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "tars:x/y:z/api"}}, "argo_cd", "is under Argo CD (tars)"),
        ({"labels": {"argocd.argoproj.io/instance": "tars"}}, "argo_cd", "is under Argo CD (tars)"),
    ],
)
def test_an_owner_that_sets_it_back_is_named_before_the_first_write(
    metadata: dict[str, Any], owner: str, words: str
) -> None:
    document = virtual_service()
    document["metadata"] |= metadata
    error = refused(Wish(25, fence=8), document=document)
    assert error.reason == "second_writer" and error.details["owner"] == owner and words in error.msg and error.hint
    # Where somebody says that it leaves the weights alone it may be there, and a cut asks nobody.
    assert plan(Wish(25, fence=8, tolerated=frozenset({owner})), document=document).ops
    assert plan(Wish(0, cut=CUT), document=document).ops


def test_who_writes_the_same_values_is_no_second_writer() -> None:
    ours = {"manager": writers.MANAGER, "time": "2026-01-31T11:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}}
    assert plan(Wish(25, fence=7), document=managed("helm", "2026-01-31T12:00:00Z", {marks.FENCE: "7"}, ours)).ops
