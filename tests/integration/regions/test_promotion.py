# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable replaced and brought back, by the Helm release or in place, as the roles do it; flags go along both ways."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from regions_world import NEW, OLD, World, outcomes

HERE = Path(__file__).resolve().parent
HOST = "us_west_2"
FLAGS = {"NEW_UI": True, "LIMIT": 1000000}
VARIABLES = {"FEATURE_NEW_UI": "true", "FEATURE_LIMIT": "1000000"}


@pytest.fixture
def soaked(world: World) -> World:
    """The canary has all the traffic, and the release flips two flags, one of which stable has already."""
    world.vars["rollout_features"] = FLAGS
    world.vars["rollout_services"]["worker"] = {"kind": "worker", "with_stable": True}
    world.copy(HOST, "worker")
    world.weigh(HOST, 100)
    code, out = world.play("plan.yml")
    found = re.search(r"PLAN (sha256:\w+)", out)
    assert code == 0 and found, out
    world.record(HOST, found[1], phase="soaking", weights={"api": 100})
    world.api.writes.clear()
    return world


def owned(world: World, *names: str, release: str = "tars") -> None:
    for name in names:
        there = world.api.objects[world.namespace(HOST), "deployments", name]
        there["metadata"]["annotations"] = {"meta.helm.sh/release-name": release}


def replace(world: World, *more: str, **extra: Any) -> tuple[int, str]:
    code, out = world.play(str(HERE / "promotion.yml"), *more, **extra)
    return code, " ".join(out.split())


def history(world: World) -> list[tuple[int, str]]:
    kept = json.loads((world.folder / f"revisions-{world.namespace(HOST)}.json").read_text())
    return [(item["revision"], item["description"]) for item in kept]


def test_by_helm_and_back_to_the_very_revision(soaked: World) -> None:
    world = soaked
    owned(world, "api", "worker")
    code, out = replace(world)
    assert code == 0, out
    assert (world.image(HOST), world.variables(HOST)) == (NEW, VARIABLES)
    read = world.read(HOST)
    assert (read["phase"], read["before"]) == ("promoting", {"owner": "helm", "release": "tars", "revision": 3})
    # A run that goes on has a newer revision before it, and the record still tells of the old one.
    code, out = replace(world)
    assert code == 0 and world.read(HOST)["before"]["revision"] == 3, out

    fence = world.read(HOST)["fence"]
    code, out = world.play("rollback.yml", "--limit", HOST)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert (world.image(HOST), world.variables(HOST)) == (OLD, {})
    assert history(world)[-1][1] == "Rollback to 3" and len(history(world)) == history(world)[-1][0] - 2
    assert world.read(HOST)["fence"] > fence + 1


def test_a_revision_that_helm_keeps_no_longer_is_no_reason_to_stay(soaked: World) -> None:
    world = soaked
    owned(world, "api", "worker")
    assert replace(world)[0] == 0
    world.env["HELM_FORGETS"] = world.namespace(HOST)
    code, out = world.play("rollback.yml", "--limit", HOST)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert "has no revision 3 to go back to" in " ".join(out.split())
    assert "Only the image 1.0.0 is brought back; flags and other values stay as they are" in " ".join(out.split())
    # What cannot be known is left alone.
    assert (world.image(HOST), world.variables(HOST)) == (OLD, VARIABLES)


def test_in_place_and_back(soaked: World) -> None:
    world = soaked
    api = world.api.objects[world.namespace(HOST), "deployments", "api"]
    api["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "FEATURE_LIMIT", "value": "7"}]
    before = {item: world.image(HOST, item) for item in ("api", "worker")}
    code, out = replace(world)
    assert code == 0, out
    # The service that has no canary changes with stable.
    assert (world.image(HOST), world.image(HOST, "worker"), world.variables(HOST)) == (NEW, NEW, VARIABLES)
    read = world.read(HOST)
    assert read["before"]["owner"] == "plain" and set(read["before"]["deployments"]) == {"api", "worker"}
    assert read["before"]["deployments"]["api"]["env"] == {
        "FEATURE_NEW_UI": None, "FEATURE_LIMIT": {"name": "FEATURE_LIMIT", "value": "7"},
    }  # fmt: skip
    assert {write[2:] for write in world.api.writes if write[2] != "configmaps"} == {
        ("deployments", "api"), ("deployments", "worker"),
    }  # fmt: skip
    # Once more: nothing is written, and nothing of what was is forgotten.
    world.api.writes.clear()
    code, out = replace(world)
    assert code == 0 and {write[2] for write in world.api.writes} <= {"configmaps"}, out
    assert world.read(HOST)["before"] == read["before"]

    code, out = world.play("rollback.yml", "--limit", HOST)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert {item: world.image(HOST, item) for item in ("api", "worker")} == before
    assert world.variables(HOST) == {"FEATURE_LIMIT": "7"}


def test_a_promoted_region_goes_back_by_what_its_record_says(soaked: World) -> None:
    world = soaked
    assert replace(world)[0] == 0
    read = world.read(HOST)
    world.weigh(HOST, 0)
    world.write(HOST, json.dumps({**read, "phase": "promoted", "stage": 3, "intent": None}))
    code, out = world.play("rollback.yml", "--limit", HOST, rollback_of=NEW)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert (world.image(HOST), world.image(HOST, "worker"), world.variables(HOST)) == (OLD, OLD, {})


def test_check_mode_reads_and_writes_nothing(soaked: World) -> None:
    world = soaked
    code, out = replace(world, "--check", "--diff")
    assert code == 0 and world.api.writes == [], out
    assert '+ "FEATURE_NEW_UI": "true"' in out.replace("+  ", "+ ").replace("  ", " "), out


@pytest.mark.parametrize(
    ("marks", "change", "words"),
    [
        ({"api": "tars"}, {}, "Helm (tars) owns some of its services, and not worker"),
        ({}, {"promote_owner": "helm"}, "promote_owner is helm, and no Helm release owns api, worker"),
        ({"api": "tars", "worker": "tars"}, {"promote_owner": "plain"}, "promote_owner is plain, and Helm owns api"),
        ({"api": "apps", "worker": "apps"}, {}, "the Helm release apps owns it, and promote_helm_release is tars"),
        ({"api": "tars", "worker": "tars"}, {"promote_helm_chart": ""}, "and promote_helm_chart is not given"),
    ],
)
def test_an_owner_that_could_not_do_it_is_refused_before_anything_moves(
    soaked: World, marks: dict[str, str], change: dict[str, Any], words: str
) -> None:
    world = soaked
    for name, release in marks.items():
        owned(world, name, release=release)
    code, out = world.play("preflight.yml", "--limit", HOST, **change)
    assert code != 0 and outcomes(out) == [("refused", "us-west-2")], out
    assert words in " ".join(out.split()) and world.api.writes == []
