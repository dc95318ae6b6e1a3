# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For any VirtualService, HTTPRoute and GRPCRoute: a patch changes weights of the named route and our notes only."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks, planning
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, TrafficError, Wish
from hypothesis import assume, given
from hypothesis import strategies as st
from mesh import SPACE, apply, destination, rule, seen, target

NAMES = st.sampled_from(["canary-header", "legacy", "ws", "", "Primary", "primary.v2"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3),
    max_leaves=6,
)
FOREIGN = st.dictionaries(st.sampled_from(["timeout", "retries", "fault", "headers", "match", "x/y~z"]), VALUES)
ANNOTATIONS = st.none() | st.dictionaries(
    st.sampled_from(["kubectl.kubernetes.io/last-applied", "a~b/c", "note", "ga.rollout/other"]), st.text(max_size=9)
)
WEIGHTS = st.none() | st.integers(0, 1000)


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Destinations of the route: ours in any order and weight, up to two of somebody else."""
    subsets = draw(st.booleans())
    hosts = [("api", "stable"), ("api", "canary")] if subsets else [("api", ""), ("api-canary", "")]
    hosts += draw(st.lists(st.sampled_from([("other", "v1"), ("third", "v2")]), max_size=2, unique=True))
    made = [destination(host, draw(WEIGHTS), subset if subsets else "") for host, subset in hosts]
    for entry in made:
        entry.update(draw(st.dictionaries(st.sampled_from(["headers", "note"]), VALUES, max_size=1)))
    return list(draw(st.permutations(made)))


@st.composite
def virtual_services(draw: st.DrawFn) -> dict[str, Any]:
    foreign = st.builds(lambda name, rest: {**rest, "name": name, "route": [destination("api-canary")]}, NAMES, FOREIGN)
    routes = [*draw(st.lists(foreign, max_size=3)), {**draw(FOREIGN), "name": "primary", "route": draw(entries())}]
    return {"metadata": draw(metadata()), "spec": {"hosts": ["x"], "http": draw(st.permutations(routes))}}


@st.composite
def http_routes(draw: st.DrawFn) -> dict[str, Any]:
    refs = [{"name": name, "port": 80} for name in ("api", "api-canary", "other")]
    for ref in refs:
        if (weight := draw(WEIGHTS)) is not None:
            ref["weight"] = weight
    foreign = st.builds(lambda name, rest: {**rest, "name": name, "backendRefs": [{"name": "api"}]}, NAMES, FOREIGN)
    rules = [*draw(st.lists(foreign, max_size=3)), {**draw(FOREIGN), "name": "primary", "backendRefs": refs}]
    return {"metadata": draw(metadata()), "spec": {"rules": draw(st.permutations(rules))}}


@st.composite
def grpc_routes(draw: st.DrawFn) -> dict[str, Any]:
    """Rules by name or by index alone, matched by method, with whatever stands beside."""
    document = draw(http_routes())
    for at, item in enumerate(document["spec"]["rules"]):
        if methods := draw(st.lists(st.sampled_from(["Get", "List", "Watch"]), max_size=2, unique=True)):
            item["matches"] = [{"method": {"service": f"tars.S{at}", "method": name}} for name in methods]
    return document


@st.composite
def metadata(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "api", "namespace": SPACE, "resourceVersion": "5", "labels": {"a": "b"}}
    annotations = draw(ANNOTATIONS)
    if annotations is not None:
        fence = draw(st.none() | st.integers(0, 9))
        ours = {} if fence is None else {marks.FENCE: str(fence)}
        found["annotations"] = {**annotations, **ours}
    return found


WISHES = st.builds(
    Wish, st.integers(0, 100), st.none() | st.integers(1, 9), st.just("2.0"), st.none(), st.just(True)
) | st.builds(lambda fence: Wish(0, fence, "2.0", Cut("2.0", "now", "slo")), st.none() | st.integers(1, 9))


def stripped(document: dict[str, Any], key: str, entry: str) -> dict[str, Any]:
    """Without what may change: the weights of the route primary and our two annotations."""
    rest = copy.deepcopy(document)
    for route in rest["spec"][key]:
        if route["name"] == "primary":
            for item in route[entry]:
                hosts = (item.get("destination") or {}).get("host"), item.get("name")
                subset = (item.get("destination") or {}).get("subset")
                if {"api", "api-canary"} & set(hosts) and subset in (None, "stable", "canary"):
                    item.pop("weight", None)
    annotations = rest["metadata"].get("annotations") or {}
    rest["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key not in OURS}
    return rest


OURS = (marks.FENCE, marks.CUT)


def check(document: dict[str, Any], where: Any, wish: Wish, key: str, entry: str) -> None:
    before = copy.deepcopy(document)
    now = seen(document, where)
    try:
        plan = planning.plan(now, wish)
    except TrafficError as error:
        assert error.reason in ("weight_inexpressible", "fence_lost")
        assume(False)
        return
    after = apply(document, plan.ops)
    assert document == before
    assert stripped(after, key, entry) == stripped(before, key, entry)
    split = seen(after, where).split
    assert split.others == now.split.others
    total = split.stable.weight + split.canary.weight
    assert split.canary.weight * 100 == wish.weight * total
    # The part of the others in the whole route stays what it was.
    if split.others:
        assert total == now.split.stable.weight + now.split.canary.weight
    # What is done is done: the same wish needs no second write.
    again = planning.plan(seen(after, where), wish if wish.fence else Wish(wish.weight, release="2.0", cut=wish.cut))
    assert not again.ops


@given(document=virtual_services(), wish=WISHES)
def test_virtual_service(document: dict[str, Any], wish: Wish) -> None:
    check(document, target(), wish, "http", "route")


@given(document=http_routes(), wish=WISHES)
def test_http_route(document: dict[str, Any], wish: Wish) -> None:
    check(document, rule(target()), wish, "rules", "backendRefs")


@given(document=grpc_routes(), wish=WISHES, by_index=st.booleans())
def test_grpc_route(document: dict[str, Any], wish: Wish, by_index: bool) -> None:
    names = [item["name"] for item in document["spec"]["rules"]]
    where = replace(rule(target()), kind="GRPCRoute", route=str(names.index("primary")) if by_index else "primary")
    check(document, where, wish, "rules", "backendRefs")
