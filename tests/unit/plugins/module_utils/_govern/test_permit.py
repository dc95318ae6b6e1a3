# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approvals, votes and overrides, signed and verified with real keys; every bad one is named and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import statement
from ansible_collections.tars.rollout.plugins.module_utils._govern.sshsig import SignatureError, verifier
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger

CLOSED = {
    "name": "w",
    "effect": "allow",
    "from": "2020-01-01T00:00",
    "until": "2020-01-02T00:00",
    "time_zone": "Etc/UTC",
}
FREEZE = {
    "name": "sale",
    "effect": "deny",
    "from": "2020-01-01T00:00",
    "until": "2030-01-01T00:00",
    "time_zone": "Etc/UTC",
}


def refused(office: Any, **change: Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        office.asks(**change)
    return caught.value


def both(office: Any) -> None:
    office.says("alice", "release_manager")
    office.says("bob", "sre")
    office.clock.time += 60


def test_two_people_approve_and_it_is_told(office: Any) -> None:
    assert refused(office).reason == "approval_missing"
    both(office)
    found = office.asks()
    assert (found["allowed"], found["changed"], found["code"]) == (True, False, "allowed")
    told = found["approval"]
    assert [(item["role"], item["principal"]) for item in told["approvals"]] == [
        ("release_manager", "alice@tars.example"), ("sre", "bob@tars.example")
    ]  # fmt: skip
    assert all(item["key"].startswith("SHA256:") and len(item["nonce"]) == 32 for item in told["approvals"])
    events = ledger.read(str(office.folder / "ledger.jsonl"))
    assert [(event.kind, event.subject) for event in events] == [("permit", "approval_missing"), ("permit", "allowed")]
    assert events[-1].data["approvals"] == told["approvals"] and events[-1].data["started_by"] == "erin"


def test_anybody_can_verify_without_us(office: Any) -> None:
    path = Path(office.says("alice", "release_manager")["path"])
    argv = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        office.signers,
        "-I",
        "alice@tars.example",
        "-n",
        "tars.rollout",
        "-s",
        f"{path}.sig",
    ]
    assert b"Good" in subprocess.run(argv, input=path.read_bytes(), capture_output=True, check=True).stdout
    assert json.loads(path.read_bytes())["plan_hash"].startswith("sha256:")


def test_signing_twice_signs_once(office: Any) -> None:
    first = office.says("alice", "release_manager")
    again = office.says("alice", "release_manager")
    assert (first["changed"], again["changed"]) == (True, False) and first["path"] == again["path"]
    assert len(list(office.approvals.iterdir())) == 2
    office.clock.time += 86401
    assert office.says("alice", "release_manager")["changed"]


def test_check_mode_signs_nothing(office: Any) -> None:
    told = office.says("alice", "release_manager", check_mode=True)
    assert told["changed"] and not office.approvals.exists() and '"role": "release_manager"' in told["diff"]["after"]
    assert not office.asks(check_mode=True, enforce=False)["allowed"] and not (office.folder / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("later", "reason"),
    [(0, "allowed"), (86400 - 60, "allowed"), (86400, "approval_expired"), (-61, "approval_future")],
)
def test_age(office: Any, later: float, reason: str) -> None:
    both(office)
    office.clock.time += later
    if reason == "allowed":
        assert office.asks()["code"] == reason
    else:
        assert refused(office).reason == reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan_hash": "sha256:" + "9" * 64}, "plan sha256:1111"),
        ({"artifacts": "sha256:" + "9" * 64}, "artifacts sha256:2222"),
        ({"release": "1.0.2"}, "release 1.0.1 and not 1.0.2"),
        ({"app": "other"}, "application tars and not other"),
        # The same regions, and production before staging.
        ({"layout": ["staging:us-west-2", "wave_1:staging"]}, "and not staging:us-west-2, wave_1:staging"),
        ({"layout": []}, "the order staging:staging, wave_1:us-west-2 and not none"),
    ],
)
def test_an_approval_of_something_else(office: Any, change: dict[str, str], words: str) -> None:
    both(office)
    fault = refused(office, **change)
    assert fault.reason == "approval_other_plan" and words in str(fault)


def test_an_approval_for_another_region(office: Any) -> None:
    both(office)
    assert refused(office, regions=[{"name": "eu-west-1"}]).reason == "approval_other_region"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"1.0.1"', b'"1.0.2"'), (b"sha256:1111", b"sha256:1112"), (b"us-west-2", b"us-east-1"), (b"alice@", b"dave1@")],
)
def test_a_statement_that_was_edited(office: Any, tampered: Callable[..., None], old: bytes, new: bytes) -> None:
    both(office)
    tampered(next(office.approvals.glob("*release_manager*.json")), old, new)
    fault = refused(office)
    assert fault.reason == "approval_signature" and "does not hold" in str(fault)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{}", "statement_invalid"),
        (b"\xff", "statement_invalid"),
        (b"[" * 5000, "statement_invalid"),
        (b"x" * 70000, "statement_invalid"),
    ],
)
def test_a_file_that_is_no_statement(office: Any, raw: bytes, reason: str) -> None:
    office.approvals.mkdir()
    (office.approvals / "a.json").write_bytes(raw)
    assert refused(office).reason == reason
    both(office)
    assert office.asks()["allowed"] and any("Does not count" in text for text in office.warnings)


def test_the_same_words_in_another_form_do_not_count(office: Any) -> None:
    """Fields twice, or in another order, would let one signature mean two things."""
    path = Path(office.says("alice", "release_manager")["path"])
    with pytest.raises(RolloutError):
        statement.load(json.dumps(json.loads(path.read_bytes())).encode())


def test_a_foreign_key(office: Any, keys: dict[str, Path]) -> None:
    """Mallory writes a statement in alice's name; the module itself would not sign it, so it is done by hand."""
    said = statement.load(Path(office.says("alice", "release_manager")["path"]).read_bytes())
    for file in office.approvals.iterdir():
        file.unlink()
    raw = statement.dump(said)
    (office.approvals / "forged.json").write_bytes(raw)
    argv = ["ssh-keygen", "-Y", "sign", "-f", keys["mallory"], "-n", "tars.rollout"]
    (office.approvals / "forged.json.sig").write_bytes(
        subprocess.run(argv, input=raw, capture_output=True, check=True).stdout
    )
    office.says("bob", "sre")
    assert refused(office).reason == "approval_signature"


def test_a_signature_for_another_purpose(office: Any, keys: dict[str, Path]) -> None:
    path = Path(office.says("alice", "release_manager")["path"])
    argv = ["ssh-keygen", "-Y", "sign", "-f", keys["alice"], "-n", "git"]
    path.with_name(f"{path.name}.sig").write_bytes(
        subprocess.run(argv, input=path.read_bytes(), capture_output=True, check=True).stdout
    )
    office.says("bob", "sre")
    assert refused(office).reason == "approval_signature"


def test_signing_with_a_key_that_nobody_knows_writes_nothing(office: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        office.says("alice", "release_manager", key=str(office.keys["mallory"]))
    assert caught.value.reason == "signature_invalid" and not office.approvals.exists()


def test_a_role_that_is_not_theirs(office: Any) -> None:
    with pytest.raises(RolloutError) as caught:
        office.says("bob", "release_manager")
    assert caught.value.reason == "approval_role" and not office.approvals.exists()


def test_without_its_signature(office: Any) -> None:
    both(office)
    next(office.approvals.glob("*sre*.sig")).unlink()
    assert refused(office).reason == "statement_unsigned"


def test_a_copy_is_a_reused_nonce(office: Any) -> None:
    path = Path(office.says("bob", "sre")["path"])
    shutil.copy(path, path.with_name("again.json"))
    shutil.copy(f"{path}.sig", path.with_name("again.json.sig"))
    office.clock.time += 1
    fault = refused(office, approvals=[{"role": "sre", "count": 2}])
    assert [finding["code"] for finding in fault.details["not_counted"]] == ["approval_reused"]


def test_the_same_person_twice(office: Any) -> None:
    office.says("alice", "release_manager")
    office.says("alice", "sre")
    office.clock.time += 1
    fault = refused(office)
    assert fault.reason == "approval_same_person" and "alice@tars.example has approved for another place" in str(fault)
    office.says("dave", "release_manager")
    office.clock.time += 1
    # Now each place can have a person of its own: dave as release manager, alice as sre.
    assert {item["principal"] for item in office.asks()["approval"]["approvals"]} == {
        "alice@tars.example",
        "dave@tars.example",
    }


def test_two_names_with_one_key_are_one_person(office: Any, tmp_path: Path) -> None:
    key = office.keys["alice"].with_suffix(".pub").read_text()
    signers = tmp_path / "signers"
    signers.write_text(f"alice@tars.example {key}second@tars.example {key}")
    signers.chmod(0o644)
    roles = {"release_manager": ["alice@tars.example"], "sre": ["second@tars.example"]}
    for role, principal in (("release_manager", "alice@tars.example"), ("sre", "second@tars.example")):
        office.says("alice", role, principal=principal, roles=roles, signers=str(signers))
    office.clock.time += 1
    assert refused(office, roles=roles, signers=str(signers)).reason == "approval_same_person"


@pytest.mark.parametrize("starter", ["alice", "Alice@tars.example", " alice ", "alice@corp.example", "CORP\\alice"])
def test_who_starts_it(office: Any, starter: str) -> None:
    both(office)
    assert refused(office, started_by=starter).reason == "approval_self"
    assert office.asks(started_by=starter, starter_may_approve=True)["allowed"]


@pytest.mark.parametrize(
    ("mode", "reason"), [(0o666, "signers_writable"), (0o664, "signers_writable"), (0o600, ""), (0o644, "")]
)
def test_signers_that_others_may_write(office: Any, tmp_path: Path, mode: int, reason: str) -> None:
    both(office)
    signers = tmp_path / "signers"
    shutil.copy(office.signers, signers)
    signers.chmod(mode)
    if reason:
        assert refused(office, signers=str(signers)).reason == reason
    else:
        assert office.asks(signers=str(signers))["allowed"]


def test_signers_in_a_folder_that_others_may_write(office: Any, tmp_path: Path) -> None:
    both(office)
    (tmp_path / "open").mkdir()
    shutil.copy(office.signers, tmp_path / "open" / "signers")
    (tmp_path / "open").chmod(0o777)
    assert refused(office, signers=str(tmp_path / "open" / "signers")).reason == "signers_writable"
    assert refused(office, signers=str(tmp_path / "none")).reason == "signers_unreadable"


def test_signers_by_a_link_that_others_could_replace(office: Any, tmp_path: Path) -> None:
    both(office)
    for name, mode in (("closed", 0o755), ("open", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
        (tmp_path / name / "signers").symlink_to(office.signers)
    assert office.asks(signers=str(tmp_path / "closed" / "signers"))["allowed"]
    fault = refused(office, signers=str(tmp_path / "open" / "signers"))
    assert fault.reason == "signers_writable" and f"leads through {tmp_path / 'open'}" in str(fault)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_signers_in_a_folder_of_somebody_else(office: Any, tmp_path: Path) -> None:
    both(office)
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    shutil.copy(office.signers, folder / "signers")
    assert office.asks(signers=str(folder / "signers"))["allowed"]
    os.chown(folder, 65534, 65534)
    assert refused(office, signers=str(folder / "signers")).reason == "signers_writable"


def test_a_revoked_key_and_one_that_is_valid_no_more(office: Any, tmp_path: Path) -> None:
    both(office)
    revoked = tmp_path / "revoked"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", revoked, office.keys["bob"].with_suffix(".pub")], check=True)
    assert refused(office, revoked=str(revoked)).reason == "approval_signature"
    signers = tmp_path / "signers"
    line = f'bob@tars.example valid-before="20260101" {office.keys["bob"].with_suffix(".pub").read_text()}'
    signers.write_text(office.signers.read_text().replace("bob@tars.example", "old@tars.example") + line)
    signers.chmod(0o644)
    assert refused(office, signers=str(signers)).reason == "approval_signature"


def test_a_rollback_uses_approvals_up(office: Any) -> None:
    both(office)
    path = str(office.folder / "ledger.jsonl")
    book = ledger.Ledger(path)
    office.clock.time += 600
    book.add(ledger.Event("2026-09-21T14:20:00.000Z", "us-west-2", "1.0.1", "phase", "rolled_back backend"))
    assert refused(office).reason == "approval_reused"
    record = {"release": "1.0.1", "phase": "rolled_back", "phase_since": "2026-09-21T14:20:00.000Z", "history": []}
    assert refused(office, ledger=None, regions=[{"name": "us-west-2", "record": record}]).reason == "approval_reused"
    # Another release that came in between uses them up as well.
    other = {"release": "1.0.2", "phase": "promoted", "phase_since": "2026-09-21T14:20:00.000Z", "history": []}
    assert refused(office, ledger=None, regions=[{"name": "us-west-2", "record": other}]).reason == "approval_reused"
    before = {**other, "phase_since": "2026-09-21T14:00:00.000Z"}
    assert office.asks(ledger=None, regions=[{"name": "us-west-2", "record": before}])["allowed"]
    for person, role in (("alice", "release_manager"), ("bob", "sre")):
        assert not office.says(person, role)["changed"] and office.says(person, role, renew=True)["changed"]
    office.clock.time += 1
    assert office.asks()["allowed"]


def test_windows_and_what_is_under_way(office: Any) -> None:
    both(office)
    assert refused(office, windows=[CLOSED]).reason == "closed"
    frozen = refused(office, windows=[FREEZE])
    assert frozen.reason == "frozen" and "a rollback needs neither" in str(frozen)
    here = {"release": "1.0.1", "plan_hash": "sha256:" + "1" * 64, "phase": "canary"}
    decided = {"decision": "promote", "who": "dave", "why": "p95 looks right"}

    def begun(artifacts: str) -> dict[str, Any]:
        before = {"act": "permit", "artifacts": "sha256:" + "8" * 64}
        return {**here, "approvals": [before, {"act": "permit", "artifacts": artifacts}, decided]}

    for record, code in (
        (here, "under_way"),
        (begun("sha256:" + "2" * 64), "under_way"),
        (begun(""), "under_way"),
        # The digest of an image was swapped since it began: those bytes nobody has approved.
        (begun("sha256:" + "9" * 64), "frozen"),
        ({**here, "phase": "preflight"}, "frozen"),
        ({**here, "release": "1.0.0"}, "frozen"),
        ({**here, "plan_hash": "sha256:0"}, "frozen"),
        ({**here, "phase": "promoted"}, "under_way"),
    ):
        for regions, records in (
            ([{"name": "us-west-2", "record": record}], {}),
            ([{"name": "us-west-2"}], {"us-west-2": record}),
        ):
            office.records = records
            assert office.asks(windows=[FREEZE], regions=regions, enforce=False)["code"] == code
    office.records = {}
    ours = refused(
        office, artifacts="sha256:" + "7" * 64, regions=[{"name": "us-west-2", "record": begun("sha256:" + "2" * 64)}]
    )
    assert ours.reason == "approval_other_plan" and "artifacts sha256:2222" in str(ours)
    some = office.asks(
        regions=[{"name": "staging", "windows": []}, {"name": "us-west-2", "windows": [FREEZE]}], need="any"
    )
    assert some["allowed"] and [item["allowed"] for item in some["regions"]] == [True, False]


def test_the_poll(office: Any) -> None:
    poll = {"poll": ["release_manager", "sre"]}
    both(office)
    assert refused(office, **poll).reason == "vote_missing"
    office.says("alice", "release_manager", kind="vote", vote="go")
    office.says("bob", "sre", kind="vote", vote="no_go", reason="the disks are full")
    office.clock.time += 1
    fault = refused(office, **poll)
    assert fault.reason == "vote_no_go" and "bob@tars.example (sre) said no-go (the disks are full)" in str(fault)
    office.says("bob", "sre", kind="vote", vote="go")
    office.clock.time += 1
    found = office.asks(**poll)
    assert {item["role"]: item["vote"] for item in found["approval"]["votes"]} == {"release_manager": "go", "sre": "go"}
    # The last word counts, also when it is an old one said again.
    office.says("bob", "sre", kind="vote", vote="no_go", reason="the disks are full")
    office.clock.time += 1
    assert refused(office, **poll).reason == "vote_no_go"
    office.clock.time += 7200
    assert refused(office, **poll).reason == "vote_expired"


def test_a_poll_is_taken_once_and_can_be_taken_again(office: Any) -> None:
    ask: dict[str, Any] = {"approvals": [], "poll": ["sre"]}
    vote = {"kind": "vote", "vote": "go", "max_age": 7200.0}
    office.says("bob", "sre", **vote)
    office.clock.time += 7000
    began = office.asks(**ask)["began"]
    office.clock.time += 7200
    # A region that comes later in the same run; another run would be refused.
    later = office.asks(**ask, began=began)
    assert later["allowed"] and later["began"] == began
    assert refused(office, **ask).reason == "vote_expired"
    assert refused(office, **ask, began="2126-01-01T00:00:00Z").reason == "vote_expired"
    assert office.says("bob", "sre", **vote)["changed"]
    office.clock.time += 1
    assert office.asks(**ask)["allowed"]
    office.says("carol", "sre", kind="vote", vote="no_go", reason="the disks are full")
    office.clock.time += 1
    assert refused(office, **ask, began=began).reason == "vote_no_go"


def test_an_override_needs_reason_and_second_person(office: Any) -> None:
    both(office)
    ask = {"windows": [FREEZE], "overrides": [{"check": "freeze", "reason": "security fix of today"}]}
    assert refused(office, **ask).reason == "frozen"
    assert "nobody else has approved skipping freeze" in str(refused(office, **ask))
    office.says("carol", "sre", kind="override", check="freeze", reason="another reason altogether")
    office.clock.time += 1
    assert "for another reason" in str(refused(office, **ask))
    office.says("carol", "sre", kind="override", check="freeze", reason="security fix of today")
    office.clock.time += 1
    found = office.asks(**ask)
    assert found["approval"]["overrides"][0] | {"at": "", "nonce": "", "key": ""} == {
        "check": "freeze", "reason": "security fix of today", "role": "sre", "principal": "carol@tars.example",
        "at": "", "nonce": "", "key": "",
    }  # fmt: skip
    assert refused(office, **ask, started_by="carol").reason == "frozen"
    assert refused(office, windows=[FREEZE]).reason == "frozen"


def test_what_was_switched_off_needs_an_override(office: Any) -> None:
    both(office)
    assert refused(office, forced=["supersede"]).reason == "override_missing"
    office.says("carol", "sre", kind="override", check="supersede", reason="the cause is repaired")
    office.clock.time += 1
    assert office.asks(forced=["supersede"], overrides=[{"check": "supersede", "reason": "the cause is repaired"}])[
        "allowed"
    ]


def test_a_region_under_way_is_asked_for_new_overrides_only(office: Any) -> None:
    both(office)
    here = {"release": "1.0.1", "plan_hash": "sha256:" + "1" * 64, "phase": "canary"}
    kept = {"act": "permit", "artifacts": "", "overrides": [{"check": "forecast", "reason": "nobody sends requests"}]}
    region = [{"name": "us-west-2", "record": {**here, "approvals": [kept]}}]
    # What was signed when it began there holds, however long that is ago.
    assert office.asks(forced=["forecast"], regions=region)["code"] == "under_way"
    fault = refused(office, forced=["forecast", "fuse"], regions=region)
    assert fault.reason == "override_missing" and "fuse is skipped" in str(fault) and "forecast" not in fault.msg
    skip = {"overrides": [{"check": "images", "reason": "the node cannot tell"}], "regions": region}
    assert refused(office, **skip).reason == "override_missing"
    office.says("carol", "sre", kind="override", check="images", reason="the node cannot tell")
    office.clock.time += 1
    assert office.asks(**skip)["code"] == "under_way"


def test_what_nobody_may_switch_off(office: Any) -> None:
    both(office)
    fault = refused(office, forced=["plan"])
    assert fault.reason == "override_unknown" and "plan is switched off, which nobody may allow" in str(fault)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"started_by": ""}, "starter_unknown"),
        ({"began": "soon"}, "bad_options"),
        ({"max_age": float("nan")}, "age_invalid"),
        ({"max_age": -1.0}, "age_invalid"),
        ({"poll_max_age": float("inf")}, "age_invalid"),
        ({"approvals": [{"role": "sre", "cuont": 2}]}, "approvals_invalid"),
        ({"overrides": [{"check": "window", "reason": "we are in a hurry", "by": "me"}]}, "override_invalid"),
        (
            {"overrides": [{"check": "poll", "reason": "we hurry"}, {"check": "poll", "reason": "we do not"}]},
            "override_invalid",
        ),
        ({"overrides": [{"check": "window", "reason": "because"}]}, "override_without_reason"),
        ({"overrides": [{"check": "window"}]}, "override_without_reason"),
        ({"overrides": [{"check": "approvals", "reason": "we are in a hurry"}]}, "override_unknown"),
        ({"overrides": [{"check": "window", "reason": "we are in a hurry"}], "started_by": ""}, "starter_unknown"),
        ({"approvals": [{"role": "cto"}]}, "role_unknown"),
        ({"approvals": [{"role": "sre"}, {"role": "sre"}]}, "approvals_invalid"),
        ({"approvals": [{"role": "sre", "count": True}]}, "count_invalid"),
        ({"regions": []}, "regions_invalid"),
        ({"regions": [{"name": "a"}, {"name": "a"}]}, "regions_invalid"),
        ({"signers": None}, "missing_option"),
    ],
)
def test_options_that_cannot_be_meant(office: Any, change: dict[str, Any], reason: str) -> None:
    both(office)
    assert refused(office, **change).reason == reason


def test_nobody_need_be_known_where_the_starter_may_approve(office: Any) -> None:
    both(office)
    assert office.asks(started_by="", starter_may_approve=True)["allowed"]


def test_nothing_asked_for_needs_no_key(office: Any) -> None:
    assert office.asks(approvals=[], signers=None, folder=None)["allowed"]


def test_a_signature_holds_at_the_time_it_was_given(office: Any) -> None:
    path = Path(office.says("alice", "release_manager")["path"])
    with verifier(str(office.signers)) as check:
        key = check.verify(path.read_bytes(), Path(f"{path}.sig").read_text(), "alice@tars.example", office.clock.time)
        assert key.startswith("SHA256:")
        with pytest.raises(SignatureError):
            check.verify(path.read_bytes(), "no signature", "alice@tars.example", office.clock.time)
