# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from email.utils import formatdate

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer, explain, retry_after
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_700_000_000.0


@given(st.integers(0, 10**8))
def test_retry_after_in_seconds_is_read_back(seconds: int) -> None:
    assert retry_after(f" {seconds} ", NOW) == seconds


@given(st.integers(-(10**8), 10**8))
def test_retry_after_as_a_date_is_the_difference_and_never_below_zero(seconds: int) -> None:
    assert retry_after(formatdate(NOW + seconds, usegmt=True), NOW) == max(0, seconds)


@given(st.none() | st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{0,8}( GMT| \+\d{4})?"))
def test_retry_after_of_anything_is_none_or_a_finite_wait(value: str | None) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


def test_retry_after_in_the_old_forms_of_dates() -> None:
    assert retry_after("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0 - 5) == 5
    assert retry_after("Sun Nov  6 08:49:37 1994", 784111777.0 - 5) == 5
    assert retry_after("-5", NOW) is None and retry_after("1e3", NOW) is None


@given(st.binary(max_size=400), st.sampled_from(["", "text/html", "application/json", "odd"]))
def test_any_body_is_explained_on_one_short_printable_line(body: bytes, kind: str) -> None:
    said = explain(Answer(500, {"content-type": kind}, body, "http://x"))
    assert len(said) <= 300 and said.isprintable()
