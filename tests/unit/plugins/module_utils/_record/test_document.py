# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document: the same there and back, and everything that is not ours is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record.document import HISTORY, Record, dump, load

RECORD = Record("tars", "us-west-2", "2.1.0", "sha256:1", "run-1", weights={"api": 25}, fence=3, stage=0)


def test_there_and_back() -> None:
    record = replace(RECORD, intent={"act": "weight"}, approvals=({"by": "x"},), soak_until="2026-01-31T12:00:00.000Z")
    record = record.remember({"at": "now", "phase": "canary"})
    assert load(dump(record), "here") == record
    assert dump(load(dump(record), "here")) == dump(record)


def test_the_history_is_bounded_and_fits_a_configmap() -> None:
    record = RECORD
    for number in range(HISTORY + 50):
        record = record.remember({"at": "2026-01-31T12:00:00.000Z", "number": number, "reason": "x" * 200})
    assert len(record.history) == HISTORY and record.history[-1]["number"] == HISTORY + 49
    assert len(dump(record)) < 100_000


def broken(**changes: Any) -> str:
    return json.dumps({**json.loads(dump(RECORD)), **changes})


def test_a_newer_format() -> None:
    with pytest.raises(RolloutError) as caught:
        load(broken(format=2, anything={}), "ConfigMap a/b")
    assert caught.value.reason == "record_newer"
    assert "has the format 2 and this collection knows formats up to 1" in caught.value.msg


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "are missing"),
        (broken(phase="shipping"), "phase is 'shipping'"),
        (broken(stage="0"), "stage is '0'"),
        (broken(fence=-1), "fence is -1"),
        (broken(fence=True), "fence is True"),
        (broken(format=0), "format is 0"),
        (broken(weights={"api": 101}), "weights are"),
        (broken(weights={"api": "10"}), "weights are"),
        (broken(soak_until="tomorrow"), "soak_until is 'tomorrow' and no moment"),
        (broken(extra=1), "the fields extra are missing or unknown"),
    ],
)
def test_a_record_edited_by_hand(text: str, seen: str) -> None:
    with pytest.raises(RolloutError) as caught:
        load(text, "ConfigMap tars/ga-rollout-tars")
    assert caught.value.reason == "record_invalid"
    assert "ConfigMap tars/ga-rollout-tars" in caught.value.msg and seen in caught.value.msg


HELM = {"owner": "helm", "release": "tars", "revision": 4}
PLAIN = {"owner": "plain", "deployments": {"api": {"container": "api", "image": "app:1"}}}


@pytest.mark.parametrize("before", [HELM, PLAIN])
def test_what_stable_was_before(before: dict[str, Any]) -> None:
    record = replace(RECORD, before=before)
    assert load(dump(record), "here") == record


def test_a_record_without_it_is_one_that_earlier_versions_write_and_read() -> None:
    assert "before" not in json.loads(dump(RECORD)) and load(dump(RECORD), "here").before == {}


@pytest.mark.parametrize(
    "before",
    [
        {"owner": "somebody"}, {"revision": 4}, {**HELM, "revision": "4"}, {**HELM, "revision": True},
        {**HELM, "release": ""}, {**PLAIN, "deployments": []}, "4",
    ],
)  # fmt: skip
def test_what_stable_was_cannot_be_told_from_it(before: Any) -> None:
    with pytest.raises(RolloutError, match="before is") as caught:
        load(broken(before=before), "here")
    assert caught.value.reason == "record_invalid"
