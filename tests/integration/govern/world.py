# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for the playbooks: an inventory of two regions without a cluster, a release, and people with keys."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
SLOS = {"error_rate": {"ratio": "http_requests_total", "bad": {"status": "5.."}, "limit": "2%", "violation": "5%"}}
ROLES = {"release_manager": ["alice@tars.example"], "sre": ["bob@tars.example", "carol@tars.example"]}
WEEK = {"name": "always", "effect": "allow", "start": "00:00", "end": "24:00", "time_zone": "Etc/UTC"}


@dataclass
class World:
    """Folder with everything; ``vars`` are the group variables of all, written anew for each run."""

    folder: Path
    vars: dict[str, Any] = field(default_factory=dict)

    def make(self) -> World:
        (self.folder / "keys").mkdir()
        lines = []
        for person in ("alice", "bob", "carol"):
            key = self.folder / "keys" / person
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
            lines.append(f"{person}@tars.example {key.with_suffix('.pub').read_text()}")
        (self.folder / "keys" / "allowed_signers").write_text("".join(lines))
        (self.folder / "keys" / "allowed_signers").chmod(0o644)
        (self.folder / "release").mkdir()
        (self.folder / "release" / "notes.txt").write_text("bytes of the release\n")
        (self.folder / "release" / "SHA256SUMS").write_text(
            f"{sha256(b'bytes of the release' + bytes([10])).hexdigest()}  notes.txt\n"
        )
        hosts = {"staging": {"hosts": {"staging": {}}}, "wave_1": {"hosts": {"us_west_2": {}}}}
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": local}, **hosts}))
        self.vars = {
            "region_name": "{{ inventory_hostname | replace('_', '-') }}", "region_namespace": "tars-{{ region_name }}",
            "region_kubeconfig": str(self.folder / "no-kubeconfig"), "region_prometheus": {"url": "http://127.0.0.1:9"},
            "rollout_release": "1.0.1", "rollout_evidence": str(self.folder / "evidence"),
            "rollout_stages": [{"weight": 25, "bake": "1m"}, {"weight": 100, "bake": "1m"}],
            "rollout_cohorts": [{"name": "backend", "services": ["api"]}], "rollout_services": {"api": {"slos": SLOS}},
        }  # fmt: skip
        return self

    def govern(self, **change: Any) -> None:
        """Ask for what the runbooks ask for."""
        self.vars |= {
            "govern_approvals": [{"role": "release_manager"}, {"role": "sre"}], "govern_roles": ROLES,
            "govern_signers": str(self.folder / "keys" / "allowed_signers"), "govern_started_by": "erin",
            "govern_artifacts": {"folder": str(self.folder / "release")}, "govern_windows": [WEEK], **change,
        }  # fmt: skip

    def play(self, playbook: str | Path, *more: str, **extra: Any) -> tuple[int, str]:
        """Exit code and all output of a real ansible-playbook."""
        (self.folder / "group_vars").mkdir(exist_ok=True)
        (self.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(self.vars))
        argv = ["ansible-playbook", "-i", str(self.folder / "hosts.yml"), str(playbook), *more]
        argv += ["-e", json.dumps(extra)] if extra else []
        env = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp")}
        done = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def approve(self, person: str, role: str, **extra: Any) -> tuple[int, str]:
        """Sign as approve.yml does."""
        return self.play(
            ROOT / "playbooks" / "approve.yml",
            **{"govern_sign_role": role, "govern_sign_as": f"{person}@tars.example",
               "govern_sign_key": str(self.folder / "keys" / person), "govern_sign_confirm": "1.0.1", **extra},
        )  # fmt: skip
