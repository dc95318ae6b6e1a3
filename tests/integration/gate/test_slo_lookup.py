# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lookup('tars.rollout.slo', path) as a playbook calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LAG = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: lag}
spec:
  indicator: {spec: {thresholdMetric: {metricSource: {spec: {query: 'lag{deployment="canary"}'}}}}}
  objectives: [{op: lte, value: 5}]
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        dest: "{{ out }}"
        content: "{{ lookup('tars.rollout.slo', source, arm_labels=['deployment']) | to_json }}"
        mode: "0600"
"""


def look(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "slo.yaml").write_text(text, encoding="utf-8")
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    names = {
        "source": str(folder / "slo.yaml"),
        "out": str(folder / "out.json"),
        "ansible_python_interpreter": sys.executable,
    }
    ansible = Path(sys.executable).with_name("ansible-playbook")
    argv = [ansible, "-i", "localhost,", "-c", "local", "-e", json.dumps(names), folder / "play.yml"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_of_openslo_is_read(tmp_path: Path) -> None:
    done = look(tmp_path, LAG)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert found == {"slos": {"lag": {"gauge": "lag", "limit": 5.0}}, "not_carried": []}


def test_what_is_no_such_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = look(tmp_path, "apiVersion: v1\nkind: Pod\n")
    assert done.returncode != 0
    assert "cannot be imported: it holds v1 Pod" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
