# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions in their order as the playbooks keep it: done already, one that fails, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from time import sleep, time

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._record import lease, process
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from regions_world import NEW, OLD, World, outcomes

# A region that is entered, and whose first step on the way fails.
FAILS = {
    "region_database": {"login_host": "127.0.0.1", "login_user": "x", "login_db": "x"}, "migrate_backup_max_age": 0,
    "migrate_runner": "command", "migrate_command": {"pending": ["echo", "0001"], "apply": ["false"]},
}  # fmt: skip


@pytest.fixture
def third_fails(world: World) -> World:
    """Staging and us-west-2 have the release, and us-east-1 fails."""
    plan = world.plan_hash()
    for host in ("staging", "us_west_2"):
        world.promoted(host, plan)
    world.hosts["us_east_1"] = FAILS
    world.api.writes.clear()
    return world


def test_a_region_that_fails_goes_back_alone(third_fails: World) -> None:
    world = third_fails
    code, out = world.play("rollout_region.yml", rollout_group="us_east_1")
    assert code != 0 and outcomes(out) == [("rolled_back", "us-east-1")], out
    # What to type is the last thing that is said.
    last = " ".join(out.partition("PLAY RECAP")[0].split()).rpartition("GO ON WITH ")[2]
    assert "playbooks/rollout_region.yml -e rollout_group=us_east_1 -e rollout_release=1.0.1" in last, out
    assert last.strip(" *'").endswith("-e rollout_supersede=true"), out
    assert [world.read(host)["phase"] for host in ("staging", "us_west_2", "us_east_1")] == [
        "promoted", "promoted", "rolled_back",
    ]  # fmt: skip
    # The lease of the run stands in the first region; nothing else is touched there.
    assert {write[1:] for write in world.api.writes if write[1] != "tars-us-east-1"} == {
        ("tars-staging", "leases", "ga-rollout-tars-run")
    }


def test_with_scope_all_the_finished_ones_go_back_too_and_none_keeps_another(third_fails: World) -> None:
    world = third_fails
    world.env["HELM_BROKEN"] = "tars-us-west-2"
    code, out = world.play("rollout_region.yml", rollout_group="us_east_1", rollout_rollback_scope="all")
    assert code != 0, out
    # The last wave first; the run itself says at its end what became of all.
    assert outcomes(out) == [("failed", "us-west-2"), ("rolled_back", "staging"), ("rolled_back", "us-east-1")], out
    last = " ".join(out.split("OUTCOME rolled_back us-east-1")[1].split())
    assert (
        "Went back as well: staging. NOT rolled back: us-west-2; go on with rollback.yml -e rollback_of=1.0.1" in last
    )
    assert "timed out waiting for the condition" in out and "fatal_error" not in out
    staging, west = world.read("staging"), world.read("us_west_2")
    assert (staging["phase"], staging["reason"], world.image("staging")) == ("rolled_back", "other_region_failed", OLD)
    assert staging["evidence"] == {"failed": "us-east-1", "reason": "task_failed"} and staging["fence"] > 4
    assert (west["phase"], west["intent"]["act"], world.image("us_west_2")) == ("rolling_back", "restore", NEW)
    told = json.loads((world.folder / "evidence" / "outcome-staging.json").read_text())
    assert (told["outcome"], told["code"]) == ("rolled_back", "other_region_failed")

    # What is left to do ends by the command that was named, and touches nothing that is done.
    world.env.clear()
    world.api.writes.clear()
    code, out = world.play("rollback.yml", rollback_of=NEW)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert (world.read("us_west_2")["phase"], world.image("us_west_2")) == ("rolled_back", OLD)
    assert {write[1] for write in world.api.writes} == {"tars-us-west-2"}


def test_a_second_run_of_a_finished_rollout_reads_and_changes_nothing(world: World) -> None:
    plan = world.plan_hash()
    for host in ("staging", "us_west_2", "us_east_1"):
        world.promoted(host, plan)
    world.api.writes.clear()
    world.api.reads.clear()
    # They are named in the order of their waves, wherever an inventory has them.
    world.waves = {"all_of_america": ["us_east_1", "us_west_2"], **world.waves}
    code, out = world.play("ga_rollout.yml")
    assert code == 0 and "OUTCOME promoted staging, us-west-2, us-east-1 1.0.1" in " ".join(out.split()), out
    assert world.api.writes == [] and out.count("changed=0") == 3
    # Of each region its record, its lease, each route and the Deployments; and no more.
    assert len(world.api.reads) == 3 * 4, world.api.reads
    assert len(world.api.reads) == len(set(world.api.reads))

    # A record does not see what hands do.
    world.weigh("us_west_2", 25)
    world.fill("us_east_1", OLD)
    code, out = world.play("ga_rollout.yml")
    said = " ".join(out.split())
    assert code != 0 and sorted(outcomes(out)) == [("refused", "us-east-1"), ("refused", "us-west-2")], out
    assert "route primary of VirtualService tars-us-west-2/api gives 25 % to the canary, which is gone" in said
    assert "the Deployment api has lab/app:1.0.0 and not 1.0.1" in said
    assert world.api.writes == []

    # A region by itself is looked at in the same way.
    code, out = world.play("rollout_region.yml", rollout_group="us_west_2")
    assert code != 0 and outcomes(out) == [("refused", "us-west-2")] and "25 % to the canary, which is gone" in out, out
    code, out = world.play("rollout_region.yml", rollout_group="staging")
    assert code == 0 and "nothing to do, it was promoted before" in " ".join(out.split()), out
    assert world.api.writes == []


def test_records_that_stand_in_the_way_are_refused_with_what_was_seen(world: World) -> None:
    """Another plan in mid-rollout, an edited record and one of a newer format: one run tells of all three."""
    plan = world.plan_hash()
    world.record("staging", "sha256:other", phase="canary", cohort="all", stage=0, weights={"api": 100})
    edited = asdict(world.record("us_west_2", plan))
    world.write("us_west_2", json.dumps({**edited, "phase": "canery"}))
    world.write("us_east_1", json.dumps({**edited, "format": 99}))
    code, out = world.play("ga_rollout.yml")
    said = " ".join(out.split())
    assert code != 0 and sorted(outcomes(out)) == [
        ("refused", "staging"), ("refused", "us-east-1"), ("refused", "us-west-2"),
    ], out  # fmt: skip
    assert "by another plan (sha256:other) than the one given" in said
    assert "phase is 'canery'" in said and "has the format 99 and this collection knows" in said
    assert said.count("Nothing was moved here") == 3 and world.api.writes == []


# What a canary of ours is told by.
MARKS = {"ga.rollout/track": "canary"}


def test_a_rollback_needs_no_record(world: World) -> None:
    """None is there, or one that nobody can read: what canaries there are lose their traffic and go."""
    space = world.namespace("us_west_2")
    code, out = world.play("rollback.yml", "--limit", "us_west_2")
    said = " ".join(out.split())
    assert code != 0 and "us-west-2 has no release under way (the record says nothing)" in said, out
    assert world.api.writes == []

    for text, weight, word in (
        (None, 50, "api, api-canary"),
        ("{", 0, "api-canary"),
        ('{"phase": "canary"}', 0, "api-canary"),
    ):
        if text:
            world.write("us_west_2", text)
        world.copy("us_west_2", "api-canary")
        canary = world.api.objects[space, "deployments", "api-canary"]
        canary["metadata"]["labels"].update(MARKS)
        world.weigh("us_west_2", weight)
        world.api.writes.clear()
        code, out = world.play("rollback.yml", "--limit", "us_west_2", "--check")
        assert code == 0 and world.api.writes == [], out
        code, out = world.play("rollback.yml", "--limit", "us_west_2")
        said = " ".join(out.split())
        assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
        assert f"us-west-2 has no record that can be read, but a rollout has been here: {word}" in said
        assert "see that stable is what it shall be" in said
        route = world.api.objects[space, "virtualservices", "api"]["spec"]["http"][0]["route"]
        assert [arm["weight"] for arm in route] == [100, 0]
        assert (space, "deployments", "api-canary") not in world.api.objects
        assert (space, "deployments", "api") in world.api.objects
        assert all(write[2] != "configmaps" for write in world.api.writes), world.api.writes


@pytest.fixture
def users() -> Iterator[HTTPServer]:
    """A gateway's door: what users get there, and from which release."""

    class Door(BaseHTTPRequestHandler):
        release = OLD

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("x-version", type(self).release)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_rollback_whose_gateways_cannot_be_asked(world: World, users: HTTPServer) -> None:
    """Requests are the proof then; where they prove nothing the canary stays, and nobody says that all is well."""
    host, space = "us_west_2", world.namespace("us_west_2")
    world.record(host, world.plan_hash(), phase="canary", cohort="all", stage=0, weights={"api": 50})
    world.weigh(host, 50)
    world.copy(host, "api-canary")
    world.api.objects[space, "deployments", "api-canary"]["metadata"]["labels"].update(MARKS)
    for key in [key for key in world.api.objects if key[1] == "pods"]:
        del world.api.objects[key]
    url = f"http://127.0.0.1:{users.server_port}"
    users.RequestHandlerClass.release = NEW  # type: ignore[attr-defined]
    world.vars["rollout_observe"] = {"route_timeout": 1}
    for more in ({}, {"preflight_probe_url": url}):
        code, out = world.play("rollback.yml", "--limit", host, **more)
        said = " ".join(out.split())
        assert code != 0 and outcomes(out) == [("not_proven", "us-west-2")], out
        assert "the weights are written, whether traffic follows is not known" in said
        assert ("and by requests: of 50 requests by route primary" in said) == bool(more)
        assert ("0 of 1 were answered by stable; one with status 200 says x-version 1.0.1, not 1.0.0" in said) == bool(
            more
        )
        assert "The weights say 0, and the canaries stay: see to the gateways" in said
        assert world.read(host)["phase"] == "rolling_back"
        assert (space, "deployments", "api-canary") in world.api.objects

    users.RequestHandlerClass.release = OLD  # type: ignore[attr-defined]
    code, out = world.play("rollback.yml", "--limit", host, preflight_probe_url=url)
    assert code == 0 and outcomes(out) == [("rolled_back", "us-west-2")], out
    assert "requests through the gateway are the proof instead" in " ".join(out.split())
    assert world.read(host)["phase"] == "rolled_back"
    assert (space, "deployments", "api-canary") not in world.api.objects


def test_without_a_record_a_named_release_keeps_others_from_harm(world: World, users: HTTPServer) -> None:
    host, space = "us_west_2", world.namespace("us_west_2")
    # No rollout was ever here.
    code, out = world.play("rollback.yml", "--limit", host, rollback_of=NEW)
    assert code == 0 and "us-west-2 has no release, and no record: nothing to do" in out and outcomes(out) == [], out
    world.copy(host, "api-canary")
    canary = world.api.objects[space, "deployments", "api-canary"]
    canary["metadata"]["labels"].update(MARKS)
    canary["metadata"]["annotations"] = {"ga.rollout/release": NEW}
    world.weigh(host, 50)
    world.api.writes.clear()
    code, out = world.play("rollback.yml", "--limit", host, rollback_of="2.2.0")
    assert code == 0 and "nothing to do" in out and world.api.writes == [], out
    # Whose answers requests would get is not known: they prove nothing, and the canary stays.
    del world.api.objects["istio-system", "pods", "gateway-1"]
    world.vars |= {
        "rollout_observe": {"route_timeout": 1},
        "preflight_probe_url": f"http://127.0.0.1:{users.server_port}",
    }
    code, out = world.play("rollback.yml", "--limit", host, rollback_of=NEW)
    assert code != 0 and outcomes(out) == [("not_proven", "us-west-2")] and "by requests" not in out, out
    assert (space, "deployments", "api-canary") in world.api.objects


def test_without_a_record_the_canary_stays_while_stable_is_not_whole(world: World) -> None:
    host, space = "us_west_2", world.namespace("us_west_2")
    world.copy(host, "api-canary")
    world.api.objects[space, "deployments", "api-canary"]["metadata"]["labels"].update(MARKS)
    world.api.objects[space, "deployments", "api"]["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
    world.weigh(host, 100)
    code, out = world.play("rollback.yml", "--limit", host, rollback_whole_tries=2)
    said = " ".join(out.split())
    assert code != 0 and outcomes(out) == [("failed", "us-west-2")], out
    assert "The traffic is on stable, which is not whole: api: 0/1 ready; api-1: starting. The canaries stay" in said
    assert "The canaries stay without traffic" in said
    assert (space, "deployments", "api-canary") in world.api.objects


def test_a_rollout_that_cannot_prove_its_rollback_says_so(third_fails: World) -> None:
    world = third_fails
    del world.api.objects["istio-system", "pods", "gateway-1"]
    world.vars["rollout_observe"] = {"route_timeout": 1}
    code, out = world.play("rollout_region.yml", rollout_group="us_east_1", rollout_rollback_scope="all")
    said = " ".join(out.split())
    assert code != 0 and ("not_proven", "us-east-1") in outcomes(out), out
    assert "GO ON WITH" in said and "rollback.yml --limit us_east_1" in said
    told = json.loads((world.folder / "evidence" / "outcome-us-east-1.json").read_text())
    assert (told["outcome"], told["code"]) == ("not_proven", "not_proven"), told
    assert world.read("us_east_1")["phase"] == "rolling_back"
    # That is no reason to leave the others on it.
    assert [world.read(host)["phase"] for host in ("us_west_2", "staging")] == ["rolled_back", "rolled_back"]


def test_a_region_by_itself_waits_for_the_waves_before_it(world: World) -> None:
    """The order is said first, also where nothing could tell whether the region bears the release."""
    world.vars["preflight_forecast"] = True
    code, out = world.play("rollout_region.yml", rollout_group="us_east_1")
    assert code != 0 and outcomes(out) == [("refused", "us-east-1")], out
    assert "cannot begin in us-east-1 before its turn: staging has no release at all" in " ".join(out.split()), out
    assert world.api.writes == []


def test_check_mode_looks_at_all_waves(world: World) -> None:
    code, out = world.play("ga_rollout.yml", "--check")
    assert code == 0 and world.api.writes == [], out
    wanted = [("not_proven", region) for region in ("staging", "us-west-2", "us-east-1")]
    assert outcomes(out)[:3] == wanted, out


def test_what_a_region_runs_is_read_after_the_wait_for_its_turn(world: World) -> None:
    plan = world.plan_hash()
    world.api.reads.clear()

    def meanwhile() -> None:
        """Once the region was read staging is through, and while its soak is waited for somebody brings it here."""
        while not any("tars-us-west-2/deployments" in path for path in world.api.reads):
            sleep(0.02)
        world.fill("staging", NEW)
        world.record("staging", plan, phase_since=moment(time() - 3600 + 15))
        while not any("tars-staging/configmaps" in path for path in world.api.reads):
            sleep(0.02)
        world.fill("us_west_2", NEW)

    somebody = Thread(target=meanwhile, daemon=True)
    somebody.start()
    code, out = world.play("rollout_region.yml", rollout_group="us_west_2", rollout_wave_gap=3600)
    assert code == 0 and outcomes(out) == [("promoted", "us-west-2")], out
    said = " ".join(out.split())
    assert "us-west-2 waits until" in said and "and 3600 s are to lie between" in said, out
    assert "nothing to do, stable runs it already" in said, out
    assert not somebody.is_alive() and world.api.writes == []


def test_a_clock_five_minutes_off_is_refused(world: World) -> None:
    world.api.ahead = 300
    code, out = world.play("ga_rollout.yml")
    said = " ".join(out.split())
    assert code != 0 and {word for word, _region in outcomes(out)} == {"refused"}, out
    assert "s behind the one of the API server of staging" in said and world.api.writes == []


def test_a_second_run_is_told_who_holds_it_and_since_when(world: World) -> None:
    told = lease.Lease("bob-1/laptop/4.5", 55, 4e9, "2026-01-31T12:00:00.000000Z", 3)
    parts = lease.write(lease.Lease(told.holder, 55, 4e9, told.since, 3, "", process.controller(os.getpid()).data()), 1)
    body = {"metadata": {"name": "ga-rollout-tars", "annotations": parts["annotations"]}, "spec": parts["spec"]}
    world.api.put("tars-staging", "leases", body)
    code, out = world.play("rollout_region.yml", rollout_group="staging")
    said = " ".join(out.split())
    assert code != 0 and outcomes(out) == [("refused", "staging")], out
    assert "is held: bob-1/laptop/4.5 (since 2026-01-31T12:00:00.000000Z, last renewed" in said
    assert {write[2:] for write in world.api.writes} == {("leases", "ga-rollout-tars-run")}


def test_waves_that_cannot_be_meant(world: World) -> None:
    """A wave without a region and a region in two waves, both in the one outcome."""
    world.waves = {"staging": ["staging"], "wave_1": ["us_west_2"], "wave_2": [], "wave_3": ["us_west_2"]}
    code, out = world.play("ga_rollout.yml")
    said = " ".join(out.split())
    assert code != 0 and {word for word, _region in outcomes(out)} == {"refused"}, out
    assert "the waves wave_2 name no region" in said and "the region us-west-2 is in two waves" in said
    assert world.api.writes == [] and world.api.reads == []


def held(world: World, **record: object) -> str:
    """A region under way whose canary has all the traffic, and a gate that gets no answer; what the next run says."""
    host, space = "us_west_2", world.namespace("us_west_2")
    plan = world.plan_hash()
    world.promoted("staging", plan)
    world.record(host, plan, **{"cohort": "all", "stage": 0, "weights": {"api": 100}, **record})
    world.weigh(host, 100)
    world.copy(host, "api-canary")
    canary = world.api.objects[space, "deployments", "api-canary"]
    canary["metadata"]["labels"].update(MARKS)
    canary["metadata"].setdefault("annotations", {})["ga.rollout/release"] = NEW
    canary["spec"]["template"]["spec"]["containers"][0].update(name="api", image=f"lab/app:{NEW}")
    _code, out = world.play("rollout_region.yml", rollout_group=host)
    assert world.api.objects[space, "deployments", "api-canary"]
    return out


def test_a_soak_that_is_over_is_judged_once_more_and_not_taken_back(world: World) -> None:
    # The gate of the role plan settles for half a minute, which is longer than what is left.
    out = held(world, phase="soaking", soak_until=moment(time() - 5), phase_since=moment(time() - 1805))
    assert outcomes(out) == [("holding", "us-west-2")] and "bad_gate_file" not in out, out
    assert world.read("us_west_2")["phase"] == "holding"


def test_without_a_fresh_backup_no_region_is_entered(world: World) -> None:
    world.vars["region_database"] = {"login_host": "127.0.0.1", "login_db": "nowhere"}
    world.vars["migrate_indexes"] = [{"name": "i", "table": "t", "columns": ["a"]}]
    code, out = world.play("rollout_region.yml", rollout_group="staging")
    assert code != 0 and outcomes(out) == [("refused", "staging")], out
    assert "is not known: set rollout_backup_taken_at" in " ".join(out.split()) and world.api.writes == []
    # As YAML reads it without quotes, and too old.
    code, out = world.play(
        "rollout_region.yml", "-e", "{rollout_backup_taken_at: 2026-01-31T12:00:00Z}", rollout_group="staging"
    )
    assert code != 0 and outcomes(out) == [("refused", "staging")], out
    assert "s old, and may be" in " ".join(out.split()) and world.api.writes == []
