# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as people run them: plan, approve, and the answer of the role in a region's turn."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tars_servers import RegistryServer

from .world import WEEK, World

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
REGION = HERE / "region.yml"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).make()


def ledger(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (world.folder / "evidence" / "ledger.jsonl").read_text().splitlines()]


def test_nothing_governed_says_so_in_one_line(world: World) -> None:
    code, out = world.play(REGION)
    assert code == 0 and out.count("Nothing is governed") == 1, out
    assert "BEGAN staging" in out and "BEGAN us-west-2" in out
    assert not (world.folder / "evidence" / "ledger.jsonl").exists()


def test_the_whole_way(world: World) -> None:
    """Refused, approved by two people who saw the plan, begun; then a freeze, an edited plan, and a tampered byte."""
    world.govern()
    code, out = world.play(REGION)
    assert code != 0 and "OUTCOME refused approval_missing" in out and "Nothing was moved here" in out, out
    # Beside each other, as people do.
    with ThreadPoolExecutor(1) as pool:
        signed = pool.submit(world.approve, "bob", "sre")
        code, out = world.approve("alice", "release_manager")
    assert code == 0 and "PLAN of tars 1.0.1" in out and "staging (staging), then us-west-2 (wave_1)" in out, out
    assert "PLAN sha256:" in out and "error_rate is over 2%" in out
    assert signed.result()[0] == 0, signed.result()[1]
    code, out = world.play(REGION)
    assert code == 0 and "BEGAN staging alice@tars.example bob@tars.example" in out, out
    told = [event for event in ledger(world) if event["kind"] == "permit" and event["subject"] == "allowed"]
    assert {item["principal"] for item in told[0]["data"]["approvals"]} == {"alice@tars.example", "bob@tars.example"}

    freeze = {
        "name": "sale",
        "effect": "deny",
        "from": "2020-01-01T00:00",
        "until": "2199-01-01T00:00",
        "time_zone": "Etc/UTC",
    }
    world.vars |= {"govern_windows": [WEEK, freeze], "govern_windows_overlap": "deny_wins"}
    # That it stops a run in earnest see the tests below.
    code, out = world.play(REGION, "--check", rollout_group="us_west_2")
    assert code == 0 and "denies it, open again at 2199" in " ".join(out.split()), out
    world.vars["govern_windows"] = []

    # Another plan, and the same regions in another order: nobody has approved that production goes first.
    world.vars |= {"rollout_waves": ["wave_1", "staging"], "rollout_soak": 1}
    code, out = world.play(REGION, rollout_group="us_west_2")
    assert code != 0 and "OUTCOME refused approval_other_plan" in out and "is about plan sha256:" in out, out
    assert "; the order staging:staging, wave_1:us-west-2 and not" in " ".join(out.split()), out
    del world.vars["rollout_waves"], world.vars["rollout_soak"]

    (world.folder / "release" / "notes.txt").write_text("bytes of the releasE\n")
    code, out = world.play(REGION, rollout_group="us_west_2")
    assert code != 0 and "file_changed" in out and "BEGAN" not in out, out


def test_images_that_can_be_pulled(world: World, registry: RegistryServer) -> None:
    """Asked of a real registry; somebody pushes the tag again before the next run."""
    digest = registry.push("tars/api", "v1.0.1", b"the new release")
    named = {"name": "api", "image": f"{registry.address}/tars/api:v1.0.1", "digest": digest}
    world.vars |= {"govern_artifacts": {"images": [named]}, "govern_registry": {"plain_http": True}}
    code, out = world.play(REGION, rollout_group="us_west_2")
    assert code == 0 and "BEGAN us-west-2" in out and f"v1.0.1@{digest} can be pulled" in out, out
    other = registry.push("tars/api", "v1.0.1", b"pushed again under the same tag")
    code, out = world.play(REGION, rollout_group="us_west_2")
    assert code != 0 and "OUTCOME refused image_moved" in out and other in out and "BEGAN" not in out, out


def test_a_key_that_nobody_reads(world: World) -> None:
    """Each would have checked less than was meant; the role's own options say so."""
    artifacts = {"folder": str(world.folder / "release"), "image": []}
    world.govern(govern_artifacts=artifacts, govern_approvals=[{"role": "sre", "cuont": 2}])
    code, out = world.play(REGION, test_entry="all")
    said = " ".join(out.split())
    assert (
        code != 0
        and "BEGAN" not in out
        and said.count("msg: |- OUTCOME refused bad_options: Validation of arguments failed") == 2
    ), out
    assert "govern_artifacts.image" in said and "govern_approvals.cuont" in said, out


def test_a_freeze_between_two_regions_stops_the_next_one(world: World) -> None:
    calendar = world.folder / "calendar.yml"
    calendar.write_text("[]")
    world.vars |= {
        "test_calendar": str(calendar),
        "govern_windows": "{{ lookup('ansible.builtin.file', test_calendar) | from_yaml }}",
        # Without it nothing would be governed before the freeze.
        "govern_artifacts": {"folder": str(world.folder / "release")},
    }
    code, out = world.play(HERE / "order.yml")
    assert code != 0 and "BEGAN staging" in out and "BEGAN us-west-2" not in out, out
    assert "OUTCOME refused frozen" in out and "a rollback needs neither" in out, out
    told = [(event["region"], event["subject"]) for event in ledger(world)]
    assert told == [("staging", "allowed"), ("us-west-2", "frozen")]


def test_no_variable_takes_the_refusal_away(world: World) -> None:
    """Extra variables beat those of a playbook: what preflight.yml says of its own look does not reach a region."""
    freeze = {**WEEK, "effect": "deny", "name": "sale"}
    world.vars["govern_windows"] = [freeze]
    code, out = world.play(REGION, rollout_group="us_west_2", govern_enforce=False)
    assert code != 0 and "OUTCOME refused frozen" in out and "BEGAN" not in out, out
    # All regions at once: there it only says what is missing.
    code, out = world.play(REGION, test_entry="all", govern_enforce=False)
    assert code == 0 and "Not yet: Release 1.0.1 may not move in staging, us-west-2" in " ".join(out.split()), out


def test_what_could_not_be_asked_stops_every_region_with_its_words(world: World) -> None:
    world.vars["govern_windows"] = [{**WEEK, "time_zone": "Mars/Olympus"}]
    code, out = world.play(REGION, test_entry="all")
    assert code != 0 and "BEGAN" not in out, out
    # Both regions end so, and only the first one asked.
    assert out.count("msg: 'OUTCOME refused time_zone_unknown: The window") == 2, out


def test_not_confirmed_and_wrong_person(world: World) -> None:
    world.govern()
    code, out = world.approve("alice", "release_manager", govern_sign_confirm="1.0.2")
    assert code != 0 and "Nothing was signed" in out, out
    code, out = world.approve("bob", "release_manager")
    assert code != 0 and "not named as release_manager" in out, out
    assert not (world.folder / "evidence" / "approvals").exists()


def test_a_plan_that_is_wrong_is_refused_as_a_whole(world: World) -> None:
    world.vars["rollout_stages"] = [{"weight": 50, "bake": "1m"}]
    world.vars["rollout_cohorts"] = [{"name": "backend", "services": ["api", "gone"]}]
    code, out = world.play(ROOT / "playbooks" / "plan.yml")
    assert code != 0 and "weights 50" in out and "name gone" in out, out


def test_no_rollback_asks() -> None:
    """Nothing that brings stable back has a task of govern in it: a person's rollback, a failure's, the dead-man's."""
    playbooks, roles = ROOT / "playbooks", ROOT / "roles"
    files = [playbooks / f"{name}.yml" for name in ("rollback", "decide", "dead_man", "tasks/rescue")]
    files += [roles / "keeper" / "tasks" / "check.yml", roles / "plan" / "tasks" / "main.yml"]
    for role in ("rollback", "dead_man"):
        files += [path for path in sorted((roles / role).rglob("*")) if path.is_file()]
    asked = [
        str(file)
        for file in files
        for word in ("tars.rollout.govern", "rollout_permit", "release_artifacts", "govern_")
        if word in "".join(line for line in file.read_text().splitlines(True) if "rescue_governed" not in line)
    ]
    assert asked == [] and len(files) > 10


def test_a_rollback_reads_its_plan_with_everything_broken(world: World) -> None:
    """The task of rollback.yml that could stop one without a cluster, as it stands there, and what would come next."""
    (play,) = yaml.safe_load((ROOT / "playbooks" / "rollback.yml").read_text())
    (plan,) = (task for task in play["tasks"][0]["block"] if task["name"] == "Make the plan")
    said = {
        "name": "Say what",
        "ansible.builtin.debug": {"msg": "ROLLS BACK {{ region_name }} {{ rollout_names | join(' ') }}"},
    }
    path = world.folder / "rollback.yml"
    path.write_text(yaml.safe_dump([{**play, "tasks": [plan, said]}]))
    broken = yaml.safe_load((ROOT / "roles" / "govern" / "defaults" / "main.yml").read_text())
    world.vars |= dict.fromkeys(broken, "{{ of_no_use }}") | {
        "rollout_kind": "urgent",
        "rollout_stages": ["10", {"weight": 5}],
        "rollout_cohorts": [{"services": ["ppo"]}, {"name": "backend", "services": ["api"]}],
        "rollout_services": {"api": {"slos": {}, "routes": "x"}, "ppo": 7},
    }
    del world.vars["rollout_release"]
    code, out = world.play(path)
    assert code == 0 and "ROLLS BACK staging api" in out and "ROLLS BACK us-west-2 api" in out, out
    assert "The plan would be refused: its kind is 'urgent'" in " ".join(out.split()), out
