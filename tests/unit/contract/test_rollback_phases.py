# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollback.yml takes a record for one by the phases that there are, and by no others."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.tars.rollout.plugins.module_utils._record.phases import PHASES

ROLLBACK = Path(__file__).resolve().parents[3] / "playbooks" / "rollback.yml"


def test_every_phase_of_a_record_is_known_to_a_rollback() -> None:
    (play,) = yaml.safe_load(ROLLBACK.read_text())
    (kept,) = [task for task in play["tasks"][0]["block"] if task["name"] == "Keep it"]
    assert set(kept["block"][0]["vars"]["rollback_phases"]) == set(PHASES)
