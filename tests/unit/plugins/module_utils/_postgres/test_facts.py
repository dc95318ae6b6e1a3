# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import check_version, version_text
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault


@pytest.mark.parametrize(
    ("number", "text"),
    [(90624, "9.624"), (130022, "13.22"), (140000, "14.0"), (140001, "14.1"), (140002, "14.2"), (140003, "14.3")],
)
def test_versions_whose_builds_may_miss_rows_are_refused(number: int, text: str) -> None:
    with pytest.raises(IndexFault, match=f"at db:5432/tars is {text},") as caught:
        check_version(number, "db:5432/tars")
    assert caught.value.reason == "version" and "14.4" in caught.value.hint


@pytest.mark.parametrize("number", [140004, 140019, 150000, 150018, 160010, 170006, 180001])
def test_versions_from_14_4_on_are_not(number: int) -> None:
    check_version(number, "db:5432/tars")


def test_a_version_as_people_write_it() -> None:
    assert version_text(150018) == "15.18"
