# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Room on the server's disks: for all builds of a call together, before the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index.present import Plan
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import size
from ansible_collections.tars.rollout.plugins.module_utils._postgres.size import Need


def check(work: Work, builds: Sequence[tuple[Plan, dict[str, Any]]]) -> None:
    """Fill ``estimate_bytes`` of every result; raise ``disk`` when all of them together would leave too little."""
    needs = []
    for made, result in builds:
        need = Need(size.estimate(work.monitor, made.wanted, made.table), made.wanted.tablespace)
        result["estimate_bytes"] = need.size
        needs.append(need)
    if needs and (space := work.params["free_space"]) is not None:
        free = size.check_space(work.monitor, needs, space["min_free_after_gb"], space["free_gb"])
        for _made, result in builds:
            result["free_bytes"] = free
