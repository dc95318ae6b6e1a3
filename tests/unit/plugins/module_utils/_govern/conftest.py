# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People with real keys, and what they sign with the real ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _rollout_approval, _rollout_permit
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

PLAN = "sha256:" + "1" * 64
BYTES = "sha256:" + "2" * 64
PEOPLE = ("alice", "bob", "carol", "dave", "mallory")
LAYOUT = ["staging:staging", "wave_1:us-west-2"]
ROLES = {
    "release_manager": ["alice@tars.example", "dave@tars.example"],
    "sre": ["bob@tars.example", "carol@tars.example", "alice@tars.example"],
}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A private key file by person; all but mallory stand in the allowed signers beside them."""
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for person in PEOPLE:
        found[person] = folder / person
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", found[person]], check=True)
    lines = [f"{person}@tars.example {found[person].with_suffix('.pub').read_text()}" for person in PEOPLE[:-1]]
    (folder / "allowed_signers").write_text("".join(lines))
    (folder / "allowed_signers").chmod(0o644)
    return found


@dataclass
class Office:
    """Where approvals are given and asked for, at a time that tests set."""

    keys: Mapping[str, Path]
    folder: Path
    clock: Any
    warnings: list[str] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)

    def call(self, params: Mapping[str, Any], check_mode: bool = False) -> Call:
        return Call(params, check_mode, self.warnings.append, self.clock, Stop(), Progress(), Scrubber())

    @property
    def signers(self) -> Path:
        return self.keys["alice"].with_name("allowed_signers")

    @property
    def approvals(self) -> Path:
        return self.folder / "approvals"

    def says(self, person: str, role: str, check_mode: bool = False, **change: Any) -> Mapping[str, Any]:
        params = {
            "kind": "approval", "app": "tars", "release": "1.0.1", "plan_hash": PLAN, "artifacts": BYTES,
            "regions": ["staging", "us-west-2"], "layout": LAYOUT, "role": role,
            "principal": f"{person}@tars.example", "roles": ROLES,
            "vote": None, "check": None, "reason": None, "key": str(self.keys[person]), "signers": str(self.signers),
            "revoked": None, "folder": str(self.approvals), "max_age": 86400.0, "renew": False,
            **change,
        }  # fmt: skip
        return _rollout_approval.run(self.call(params, check_mode))

    def asks(self, check_mode: bool = False, **change: Any) -> Mapping[str, Any]:
        params = {
            "app": "tars", "release": "1.0.1", "plan_hash": PLAN, "artifacts": BYTES, "need": "all",
            "regions": [{"name": "us-west-2"}], "layout": LAYOUT, "windows": [], "overlap": "refuse",
            "approvals": [{"role": "release_manager"}, {"role": "sre"}], "roles": ROLES, "max_age": 86400.0, "poll": [],
            "poll_max_age": 7200.0, "began": None, "started_by": "erin", "starter_may_approve": False, "overrides": [],
            "override_roles": [], "forced": [], "folder": str(self.approvals), "signers": str(self.signers),
            "revoked": None, "enforce": True, "ledger": str(self.folder / "ledger.jsonl"), "run_id": "run-1", **change,
        }  # fmt: skip
        return _rollout_permit.run(self.call(params, check_mode), lambda region: self.records.get(region["name"]))


@pytest.fixture
def office(keys: Mapping[str, Path], clock: Any, tmp_path: Path) -> Office:
    clock.time = 1_790_000_000.0
    return Office(keys, tmp_path, clock)


@pytest.fixture
def tampered() -> Callable[[Path, bytes, bytes], None]:
    """Changes bytes of a file and leaves all others."""

    def change(path: Path, old: bytes, new: bytes) -> None:
        raw = path.read_bytes()
        assert old in raw
        path.write_bytes(raw.replace(old, new))

    return change


assert shutil.which("ssh-keygen"), "these tests sign with the real ssh-keygen: install OpenSSH's client"
