# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sign-off is written once, signed by real keys, and verified later: one changed byte anywhere is noticed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _rollout_sign_off
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import signoff

PLAN = "sha256:" + "1" * 64
PROMOTED = {"release": "1.0.1", "phase": "promoted", "plan_hash": PLAN, "history": [], "approvals": [{"act": "permit"}]}
ROLES = {"release_manager": ["alice@tars.example"], "sre": ["bob@tars.example"]}
Act = Callable[..., Mapping[str, Any]]


@pytest.fixture
def act(office: Any) -> Act:
    promoted: dict[str, Any] = {"staging": PROMOTED, "us-west-2": PROMOTED}
    (office.folder / "ledger.jsonl").write_text('{"at": "x"}\n')

    def call(
        state: str, check_mode: bool = False, records: Mapping[str, Any] | None = None, **change: Any
    ) -> Mapping[str, Any]:
        records = promoted if records is None else records
        params = {
            "state": state, "path": str(office.folder / "sign-off.json"), "app": "tars", "release": "1.0.1",
            "plan_hash": PLAN, "artifacts": "", "page": ["PLAN"],
            "regions": [{"name": name} for name in records], "run_id": "run-1",
            "ledger": str(office.folder / "ledger.jsonl"), "role": None, "principal": None, "key": None, "roles": ROLES,
            "signers": str(office.signers), "revoked": None, "required": ["release_manager", "sre"], **change,
        }  # fmt: skip
        return _rollout_sign_off.run(office.call(params, check_mode), lambda region: records[region["name"]])

    return call


def sign(act: Act, office: Any, person: str, role: str, **change: Any) -> Mapping[str, Any]:
    return act("signed", role=role, principal=f"{person}@tars.example", **{"key": str(office.keys[person]), **change})


def test_written_signed_and_verified_later(act: Act, office: Any) -> None:
    assert act("present", check_mode=True)["changed"] and not (office.folder / "sign-off.json").exists()
    written = act("present")
    assert (
        written["changed"] and written["differences"] == [] and written["document"]["happened"]["staging"]["approvals"]
    )
    assert not act("present")["changed"]
    with pytest.raises(RolloutError) as caught:
        act("verified")
    assert "release_manager has not signed; sre has not signed" in str(caught.value)
    assert sign(act, office, "alice", "release_manager")["changed"]
    assert not sign(act, office, "alice", "release_manager")["changed"]
    path = Path(sign(act, office, "bob", "sre")["path"])
    office.clock.time += 365 * 86400
    with (office.folder / "ledger.jsonl").open("a") as book:
        book.write("a later line\n")
    assert [item["holds"] for item in act("verified")["signed"]] == [True, True]
    document = (office.folder / "sign-off.json").read_bytes()
    argv = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        office.signers,
        "-I",
        "bob@tars.example",
        "-n",
        "tars.rollout",
        "-s",
        path,
    ]
    assert b"Good" in subprocess.run(argv, input=document, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("sign-off.json", b"promoted", b"promotec", "does not hold for a key of"),
        ("sign-off.json", b'"at"', b'"at" ', "is not as this collection writes it"),
        ("ledger.jsonl", b'"x"', b'"y"', "is not the one that was signed"),
        ("sign-off.json.sre.bob@tars.example.sig", b"\nU", b"\nV", "the signature of bob"),
    ],
)
def test_one_changed_byte(
    act: Act, office: Any, tampered: Callable[..., None], name: str, old: bytes, new: bytes, words: str
) -> None:
    act("present")
    sign(act, office, "alice", "release_manager")
    sign(act, office, "bob", "sre")
    tampered(office.folder / name, old, new)
    with pytest.raises(RolloutError) as caught:
        act("verified")
    assert words in str(caught.value), str(caught.value)


def test_what_happened_otherwise_is_said(act: Act) -> None:
    records = {
        "staging": PROMOTED, "us-west-2": {**PROMOTED, "phase": "rolled_back", "reason": "ABOVE_LIMIT"},
        "us-east-1": None,
        "eu-west-1": {**PROMOTED, "plan_hash": "sha256:9"},
    }  # fmt: skip
    assert act("present", records=records)["differences"] == [
        "us-west-2: it is rolled_back (ABOVE_LIMIT) and not promoted",
        "us-east-1: the release did not come there",
        "eu-west-1: it came by another plan, sha256:9",
    ]


def test_a_signed_one_is_not_written_over(act: Act, office: Any) -> None:
    act("present")
    sign(act, office, "alice", "release_manager")
    assert not act("present")["changed"]
    with pytest.raises(RolloutError) as caught:
        act("present", records={"staging": None})
    assert caught.value.reason == "sign_off_signed"


def test_a_run_that_finds_everything_done_changes_nothing(act: Act, office: Any) -> None:
    """It knows neither artifacts nor page; signed or not, what was promised stays."""
    bytes_then = "sha256:" + "2" * 64
    act("present", artifacts=bytes_then, page=["PLAN", "it may move now, until 18:00"])
    for page in ([], ["PLAN", "it may not move now"]):
        assert not act("present", page=page)["changed"]
    sign(act, office, "alice", "release_manager")
    assert not act("present", page=[])["changed"]
    found = act("verified", required=[])["document"]["promised"]
    assert (found["artifacts"], found["page"]) == (bytes_then, ["PLAN", "it may move now, until 18:00"])
    # Other bytes are another promise.
    with pytest.raises(RolloutError) as caught:
        act("present", artifacts="sha256:" + "3" * 64)
    assert caught.value.reason == "sign_off_signed"


@pytest.mark.parametrize("change", [{"release": "1.0.2"}, {"app": "other"}])
def test_one_of_another_release_under_the_name_of_this_one(act: Act, office: Any, change: Mapping[str, str]) -> None:
    act("present")
    for person, role in (("alice", "release_manager"), ("bob", "sre")):
        sign(act, office, person, role)
    assert act("verified")["signed"]
    for state in ("verified", "signed"):
        with pytest.raises(RolloutError) as caught:
            act(state, role="sre", principal="bob@tars.example", key=str(office.keys["bob"]), **change)
        assert caught.value.reason == "sign_off_other_release" and next(iter(change.values())) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"promised": []}, {"ledger": {}}, {"ledger": {"bytes": -1, "sha256": "x"}}, {"at": "yesterday"}, {"at": 5},
        {"differences": "none"}, {"happened": None},
    ],
)  # fmt: skip
def test_one_in_our_form_without_our_content(act: Act, office: Any, change: Mapping[str, Any]) -> None:
    act("present")
    path = office.folder / "sign-off.json"
    path.write_bytes(signoff.dump({**signoff.load(path.read_bytes(), "x"), **change}))
    with pytest.raises(RolloutError) as caught:
        act("verified")
    assert caught.value.reason == "sign_off_invalid"


def test_who_may_not_sign(act: Act, office: Any) -> None:
    act("present")
    with pytest.raises(RolloutError) as caught:
        sign(act, office, "mallory", "sre")
    assert caught.value.reason == "sign_off_role"
    with pytest.raises(RolloutError) as caught:
        sign(act, office, "bob", "sre", key=str(office.keys["mallory"]))
    assert caught.value.reason == "signature_invalid"
    assert [path.name for path in office.folder.glob("*.sig")] == []
