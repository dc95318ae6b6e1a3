# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's run against an API server that keeps one ConfigMap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _rollout_record
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

OPTIONS = (
    "state", "namespace", "app", "region", "release", "stable_release", "plan_hash", "run_id", "supersede", "phase",
    "cohort", "stage", "weights", "intent", "result", "reason", "evidence", "pinned", "before", "soak_for", "hold_for",
    "on_hold", "approval", "by", "fence", "take_fence", "fence_floor", "ledger", "routes", "note", "lease",
)  # fmt: skip


class Api:
    """One ConfigMap, with a version that every write moves."""

    def __init__(self) -> None:
        self.found: dict[str, Any] | None = None
        self.writes = 0
        self.before_write: Callable[[], None] = lambda: None

    def get(self, *_words: Any) -> dict[str, Any]:
        if self.found is None:
            raise KubeError("not there", reason="kube_not_found", details={"status": 404})
        return {"metadata": dict(self.found["metadata"]), "data": dict(self.found["data"])}

    def create(self, _kind: Any, _namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.before_write()
        if self.found is not None:
            raise KubeError("exists", reason="kube_conflict", details={"status": 409})
        return self.store(dict(body["data"]), dict(body["metadata"]))

    def json_patch(self, _kind: Any, _namespace: str, _name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        self.before_write()
        assert self.found is not None and ops[0]["path"] == "/metadata/resourceVersion"
        if ops[0]["value"] != self.found["metadata"]["resourceVersion"]:
            raise KubeError("no", reason="kube_patch_test_failed", details={"status": 422})
        return self.store({"record.json": ops[1]["value"]}, self.found["metadata"])

    def delete(self, *_words: Any, uid: str) -> dict[str, Any]:
        assert self.found is not None and uid == self.found["metadata"]["uid"]
        self.found = None
        return {}

    def store(self, data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        metadata |= {"resourceVersion": str(self.writes), "uid": "u1"}
        self.found = {"data": data, "metadata": metadata}
        return self.found


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def run(api: Api, clock: Any, tmp_path: Path) -> Callable[..., Mapping[str, Any]]:
    def act(check_mode: bool = False, **options: Any) -> Mapping[str, Any]:
        params = {
            **dict.fromkeys(OPTIONS), "state": "present", "namespace": "tars-us-west-2", "app": "tars",
            "region": "us-west-2", "release": "2.1.0", "plan_hash": "sha256:1", "run_id": "run-1", "supersede": False,
            "take_fence": False, "ledger": str(tmp_path / "ledger"), **options,
        }  # fmt: skip
        return _rollout_record.run(Call(params, check_mode, print, clock, Stop(), Progress(), Scrubber()), api)

    return act


Run = Callable[..., Mapping[str, Any]]


def test_enter_step_and_end(run: Run, api: Api, tmp_path: Path) -> None:
    entered = run(take_fence=True, fence_floor=6)
    assert (entered["decision"], entered["record"]["fence"], entered["changed"]) == ("new", 7, True)
    assert run()["decision"] == "continue" and not run()["changed"]
    for phase in ("preflight", "backed_up", "migrated"):
        run(phase=phase, fence=7)
    run(phase="canary", cohort="backend", stage=0, intent={"act": "weight"}, fence=7)
    done = run(result="done", weights={"api": "25"}, fence=7)
    assert done["record"]["weights"] == {"api": 25} and done["record"]["intent"] is None
    run(phase="soaking", soak_for=60)
    run(phase="promoting")
    end = run(phase="promoted")
    assert end["record"]["soak_until"] == "2023-11-14T22:14:20.000Z"
    assert run()["decision"] == "done" and not run(take_fence=True)["changed"]
    kinds = [event.kind for event in ledger.read(str(tmp_path / "ledger"))]
    assert kinds == ["phase"] * 5 + ["step"] + ["phase"] * 3
    assert run(state="absent")["changed"] and api.found is None
    assert not run(state="absent")["changed"]


def test_what_is_permitted_on_the_way_is_kept_and_told(run: Run) -> None:
    """An override of a run that goes on: the record stays where it is, and who has signed is named."""
    for phase in (None, "preflight", "backed_up", "migrated", "canary"):
        run(phase=phase)
    signed = {"check": "fuse", "principal": "carol@tars.example"}
    found = run(approval={"act": "permit", "artifacts": "", "overrides": [signed]})["record"]
    assert found["phase"] == "canary" and found["approvals"][-1]["overrides"] == [signed]
    told = _rollout_record._approved
    assert told(found["approvals"][-1]) == "permitted by carol@tars.example"
    assert told({"decision": "promote", "who": "dave", "why": "p95 looks right"}) == "promote by dave: p95 looks right"


def test_check_mode_says_the_same_and_writes_nothing(run: Run, api: Api) -> None:
    planned = run(check_mode=True, take_fence=True)
    assert api.found is None
    assert planned == run(take_fence=True)


def test_somebody_wrote_in_between(run: Run, api: Api) -> None:
    run(take_fence=True)
    bumps = iter([True])

    def other() -> None:
        if next(bumps, False) and api.found:
            api.store(api.found["data"], api.found["metadata"])

    api.before_write = other
    assert run(phase="preflight")["record"]["phase"] == "preflight"


def test_a_storm_of_writes_is_bounded(run: Run, api: Api) -> None:
    run()
    api.before_write = lambda: api.store(api.found["data"], api.found["metadata"]) and None  # type: ignore[index]
    with pytest.raises(RolloutError) as caught:
        run(phase="preflight")
    assert caught.value.reason == "record_changed"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"phase": "canary"}, "phase_order"),
        ({"phase": "preflight", "release": "2.2.0"}, "other_release"),
        ({"phase": "preflight", "fence": 0}, "fence_lost"),
        ({"plan_hash": "sha256:2"}, "plan_changed"),
        ({"plan_hash": None}, "missing_option"),
        ({"result": "ok", "weights": {"api": True}}, "weights_invalid"),
    ],
)
def test_refused_and_nothing_written(run: Run, api: Api, options: Mapping[str, Any], reason: str) -> None:
    run(take_fence=True)
    before = api.writes
    with pytest.raises(RolloutError) as caught:
        run(**options)
    assert caught.value.reason == reason and api.writes == before


def test_a_step_without_a_record(run: Run) -> None:
    with pytest.raises(RolloutError) as caught:
        run(phase="preflight")
    assert caught.value.reason == "no_record"


def test_a_record_in_use_is_not_removed(run: Run) -> None:
    run()
    for phase in ("preflight", "backed_up", "migrated", "canary"):
        run(phase=phase)
    with pytest.raises(RolloutError) as caught:
        run(state="absent")
    assert caught.value.reason == "record_in_use"


def test_what_stable_was_is_written_once(run: Callable[..., Mapping[str, Any]]) -> None:
    """A run that goes on sees stable half replaced; and templates of ansible-core 2.18 make texts of numbers."""
    run(take_fence=True)
    for phase in ("preflight", "backed_up", "migrated", "canary", "soaking"):
        run(phase=phase, fence=1)
    first = run(phase="promoting", fence=1, before={"owner": "helm", "release": "tars", "revision": "4"})
    assert first["record"]["before"] == {"owner": "helm", "release": "tars", "revision": 4}
    again = run(intent={"act": "helm"}, fence=1, before={"owner": "helm", "release": "tars", "revision": 5})
    assert again["record"]["before"]["revision"] == 4
