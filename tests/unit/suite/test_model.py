# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stages file with a slip is refused with a sentence, not run in part."""

from __future__ import annotations

from pathlib import Path

import pytest
from tars_suite import model

HEAD = "lab_up: {minutes: 24}\nstages:\n"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("  - {name: a, minutes: 1, check: {}, checks: {}}\n", "unknown keys: check"),
        ("  - {name: a, minutes: 1, checks: {}, tier: nightly}\n", "tier 'nightly'"),
        ("  - {name: a, minutes: 1, checks: {}}\n  - {name: a, minutes: 1, checks: {}}\n", "found twice: a"),
    ],
)
def test_slips(tmp_path: Path, entry: str, sentence: str) -> None:
    file = tmp_path / "stages.yml"
    file.write_text(HEAD + entry, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        model.load(file)
