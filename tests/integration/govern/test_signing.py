# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with which people look, vote, allow and sign off, as they run them, without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._govern import signoff

from .world import ROOT, World

PLAYBOOKS = ROOT / "playbooks"
HASH = "sha256:" + "1" * 64


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path).make()
    # What is signed here is not about the bytes.
    made.govern(govern_artifacts={}, govern_windows=[], govern_sign_off=["release_manager", "sre"])
    return made


def test_a_good_plan_is_shown(world: World) -> None:
    code, out = world.play(PLAYBOOKS / "plan.yml")
    assert code == 0 and out.count("PLAN of tars 1.0.1") == 1 and "ARTIFACTS none are named" in out, out
    assert "by release_manager and sre, different people" in out and "25 %" in out, out


def test_the_sign_off_is_shown_signed_and_verified(world: World) -> None:
    path = world.folder / "evidence" / "sign-off-1.0.1.json"
    path.parent.mkdir()
    book = path.with_name("ledger.jsonl")
    book.write_text('{"at": "x"}\n')
    promised = {"app": "tars", "release": "1.0.1", "plan_hash": HASH, "artifacts": "", "page": ["PLAN"]}
    records = {"staging": {"release": "1.0.1", "phase": "promoted", "plan_hash": HASH}, "us-west-2": None}
    raw = signoff.dump(signoff.document(promised, records, book.read_bytes(), "2026-09-21T14:20:00Z", "run-1"))
    path.write_bytes(raw)
    code, out = world.approve("alice", "release_manager", govern_sign_kind="sign_off")
    assert code == 0 and f"SIGN-OFF {path}: us-west-2: the release did not come there" in " ".join(out.split()), out
    assert out.index("SIGN-OFF /") < out.index("Sign the release off")
    code, out = world.play(PLAYBOOKS / "sign_off.yml")
    assert code != 0 and "sre has not signed" in " ".join(out.split()), out
    code, out = world.approve("bob", "sre", govern_sign_kind="sign_off")
    assert code == 0, out
    code, out = world.play(PLAYBOOKS / "sign_off.yml")
    assert code == 0 and "SIGN-OFF of 1.0.1 holds, signed by alice@tars.example, bob" in " ".join(out.split()), out
    path.rename(path.with_name("sign-off-1.0.2.json"))
    for signature in path.parent.glob("sign-off-1.0.1.json.*"):
        signature.rename(signature.with_name(signature.name.replace("1.0.1", "1.0.2")))
    code, out = world.play(PLAYBOOKS / "sign_off.yml", rollout_release="1.0.2")
    assert code != 0 and "is about 1.0.1 and not 1.0.2" in " ".join(out.split()), out


def test_a_vote_is_renewed_and_an_override_shown(world: World) -> None:
    vote = {"govern_sign_kind": "vote", "govern_sign_vote": "go", "govern_poll_max_age": 1}
    for _time in range(2):
        code, out = world.approve("bob", "sre", **vote)
        assert code == 0, out
    # The play takes longer than the vote counts, so the same words were signed once more.
    assert len(list((world.folder / "evidence" / "approvals").glob("vote-sre-*.json"))) == 2
    reason = "the node cannot tell"
    override = {"govern_sign_kind": "override", "govern_sign_check": "images", "govern_sign_reason": reason}
    code, out = world.approve("bob", "sre", **override, govern_sign_confirm="no")
    assert code != 0 and "Nothing was signed" in out and f"OVERRIDE of images: {reason}" in out, out
