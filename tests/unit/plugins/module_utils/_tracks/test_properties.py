# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For any Deployment and whatever selects its pods: the copy is never taken for stable, and differs in nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import beside, copying, selectors
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, Track, World, name_of, track_of
from hypothesis import assume, given
from hypothesis import strategies as st
from platform_objects import KEY, SPACE, deployment

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
VALUES = st.sampled_from(["api", "worker", "v1", "blue", "tars"])
LABELS = st.dictionaries(st.sampled_from([KEY, "app", "tier", "version"]), VALUES, max_size=4)
EXPRESSIONS = st.lists(
    st.builds(
        lambda key, operator, values: {
            "key": key,
            "operator": operator,
            **({"values": values} if "In" in operator else {}),
        },
        st.sampled_from([KEY, "app", "tier"]),
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        st.lists(VALUES, min_size=1, max_size=3, unique=True),
    ),
    max_size=2,
)
SELECTORS = st.builds(
    lambda plain, expressions: {
        **({"matchLabels": plain} if plain else {}),
        **({"matchExpressions": expressions} if expressions else {}),
    },
    LABELS,
    EXPRESSIONS,
)


@st.composite
def live(draw: st.DrawFn) -> dict[str, Any]:
    """A Deployment whose selector has the track's label, with pods that carry more labels than it asks for."""
    name = draw(NAMES)
    made = deployment(name, draw(st.integers(1, 40)))
    chosen = {KEY: draw(VALUES | NAMES), **draw(LABELS.map(lambda found: {k: v for k, v in found.items() if k != KEY}))}
    made["spec"]["selector"] = {"matchLabels": chosen}
    extra = {key: value for key, value in draw(LABELS).items() if key not in chosen}
    made["spec"]["template"]["metadata"] = {"labels": {**chosen, **extra}}
    if draw(st.booleans()):
        made["spec"]["template"]["spec"]["affinity"] = {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": chosen}}
                ]
            }
        }
    made["metadata"]["ownerReferences"] = [{"kind": "Something", "name": "x"}]
    return made


def copied(stable: dict[str, Any], weight: int = 100) -> tuple[dict[str, Any], Track]:
    track = track_of(stable, KEY)
    assert track
    service = Service(name_of(stable), tag="2.0.0")
    replicas = copying.copies(stable["spec"]["replicas"], weight)
    return copying.deployment(stable, service, track, "2.0.0", replicas), track


@given(stable=live())
def test_neither_track_is_taken_for_the_other(stable: dict[str, Any]) -> None:
    before = copy.deepcopy(stable)
    made, _track = copied(stable)
    own, pods = stable["spec"]["template"]["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]
    assert not selectors.matches(stable["spec"]["selector"], pods)
    assert not selectors.matches(made["spec"]["selector"], own)
    assert selectors.matches(made["spec"]["selector"], pods)
    # A Service or PodDisruptionBudget with stable's own selector does not count them either.
    assert not selectors.service_matches(stable["spec"]["selector"]["matchLabels"], pods)
    budget = copying.budget(stable, Service(name_of(stable)), _track, "2.0.0")
    assert selectors.matches(budget["spec"]["selector"], pods) and not selectors.matches(
        budget["spec"]["selector"], own
    )
    assert stable == before


@given(stable=live(), weight=st.integers(1, 100))
def test_nothing_else_of_a_pod_changes(stable: dict[str, Any], weight: int) -> None:
    made, track = copied(stable, weight)
    template, own = copy.deepcopy(made["spec"]["template"]), copy.deepcopy(stable["spec"]["template"])
    own["spec"]["containers"][0]["image"] = template["spec"]["containers"][0]["image"]
    own["metadata"]["labels"][KEY] = track.canary
    # Rules of distance are about the canary's own pods: the same but for the value of the label.
    told = json.dumps(template.pop("spec"), sort_keys=True).replace(f'"{track.canary}"', f'"{track.stable}"')
    assert told == json.dumps(own.pop("spec"), sort_keys=True)
    assert template == own
    assert made["spec"]["strategy"] == stable["spec"]["strategy"]
    # Pods for the weight, never fewer than that part of stable's.
    assert made["spec"]["replicas"] * 100 >= weight * stable["spec"]["replicas"] > (made["spec"]["replicas"] - 1) * 100
    # Of the metadata nothing is taken along.
    assert set(made["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert made["metadata"]["name"] == f"{name_of(stable)}-canary"
    assert set(made["metadata"]["annotations"]) == {"ga.rollout/release"}
    assert not {"meta.helm.sh/release-name", "app.kubernetes.io/instance"} & set(made["metadata"]["labels"]) - {KEY}


@given(selector=SELECTORS, pods=LABELS, value=VALUES)
def test_a_widened_selector_has_whom_it_had_and_the_canary(
    selector: dict[str, Any], pods: dict[str, str], value: str
) -> None:
    values = {value: f"{value}-canary"}
    wide = selectors.widened(selector, KEY, values)
    assume(
        not any(item["operator"] == "NotIn" and item["key"] == KEY for item in selector.get("matchExpressions") or [])
    )
    if selectors.matches(selector, pods):
        assert selectors.matches(wide, pods)
    stable, canary = {**pods, KEY: value}, {**pods, KEY: f"{value}-canary"}
    assert selectors.matches(wide, canary) == selectors.matches(selector, stable)
    # Whoever is neither stays what he was.
    other = {**pods, KEY: "somebody"}
    assert selectors.matches(wide, other) == selectors.matches(selector, other)


@given(selector=SELECTORS, pods=LABELS, value=VALUES)
def test_a_moved_selector_has_the_canary_in_the_place_of_stable(
    selector: dict[str, Any], pods: dict[str, str], value: str
) -> None:
    moved = selectors.moved(selector, KEY, {value: f"{value}-canary"})
    assert selectors.matches(moved, {**pods, KEY: f"{value}-canary"}) == selectors.matches(
        selector, {**pods, KEY: value}
    )


@given(target=SELECTORS, peer=SELECTORS, value=VALUES)
def test_a_policy_is_copied_when_it_speaks_of_stable(target: dict[str, Any], peer: dict[str, Any], value: str) -> None:
    spec = {"podSelector": target, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": peer}]}]}
    policy = {"metadata": {"name": "p", "namespace": SPACE}, "spec": spec}
    found = beside.companions(World(SPACE, {"network_policies": [policy]}), KEY, {value: f"{value}-canary"}, "2")
    made = found["network_policies"]
    named = [part for part in (target, peer) if f'"{value}"' in json.dumps(_values_of(part))]
    assert bool(made) == bool(named)
    for item in made:
        assert item["spec"]["policyTypes"] == ["Ingress"] and item["metadata"]["name"] == "p-canary"


def _values_of(selector: dict[str, Any]) -> list[Any]:
    plain = [(selector.get("matchLabels") or {}).get(KEY)]
    return plain + [item.get("values") for item in selector.get("matchExpressions") or [] if item["key"] == KEY]
