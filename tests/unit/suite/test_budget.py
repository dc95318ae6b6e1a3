# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of the ci tier must fit into its limit; later stages are added within it."""

from __future__ import annotations

from pathlib import Path

from tars_suite import model

SUITE = model.load(Path(__file__).resolve().parents[2] / "suite" / "stages.yml")


def test_ci_tier_fits_into_the_limit() -> None:
    assert SUITE.minutes("ci") <= model.LIMIT_MINUTES


def test_the_lab_is_counted_once() -> None:
    assert SUITE.minutes("ci") == sum(stage.minutes for stage in SUITE.tier("ci")) + SUITE.lab_minutes
