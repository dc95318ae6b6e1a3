# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The one table between the keys of a gate file and those of the case format (gate-cases/1), one to one.

docs/gates.md shows it, and a test compares. Keys with a dot lie below another key; ``*`` is the name of the objective.
"""

from __future__ import annotations

GATE = {
    "defaults.bake": "bake_s",
    "defaults.settle": "settle_s",
    "defaults.scrape": "scrape_s",
    "defaults.alpha": "alpha",
    "defaults.beta": "beta",
    "arms": "arms",
    "expect_pods": "expect_pods",
    "slos": "slos",
}

# The key that names the kind holds the metric: `ratio: http_requests_total`.
SLO = {
    "*": "name",
    "ratio|latency|gauge|count": "type",
    "ratio|latency|gauge|count: METRIC": "metric",
    "bad": "bad",
    "quantile": "quantile",
    "limit": "limit",
    "limit as written": "limit_text",
    "violation": "violation",
    "max_drift": "max_drift",
    "on_limit": "on_limit",
    "on_drift": "on_drift",
    "for": "for_s",
    "arm": "arm",
}

# Keys of a gate file that the case format has no word for.
ONLY_GATE = (
    "gate",
    "service",
    "prometheus",
    "stages",
    "defaults.max_bake",
    "defaults.early_pass",
    "defaults.on_inconclusive",
    "defaults.strata",
)
ONLY_SLO = ("expr", "match", "unit")
