# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open-loop load for the lab: requests leave on time, whatever the answers do, and every one of them is accounted for.

>>> from tarslab.load import Plan, run
>>> summary = run(Plan(target="http://127.0.0.1:20001", regions=("us-west-2",), rps=100, duration=60))
>>> summary.failed, summary.verdict
"""

from __future__ import annotations

from tarslab.load.plan import Plan, PlanError
from tarslab.load.runner import run, run_async
from tarslab.load.summary import Summary

__all__ = ["Plan", "PlanError", "Summary", "run", "run_async"]
