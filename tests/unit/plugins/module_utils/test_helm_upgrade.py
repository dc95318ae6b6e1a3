# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""helm_upgrade: when there is anything to do, and what is said of values. The real Helm is in the tests on the lab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._helm import chart_of
from ansible_collections.tars.rollout.plugins.module_utils._helm_upgrade import merged, run
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock

PARAMS = {
    "name": "tars", "namespace": "ns", "chart_ref": "./chart", "values": {"image": {"tag": "2"}}, "wait": True,
    "wait_timeout": "10m", "kubeconfig": "/k", "binary_path": "helm",
}  # fmt: skip


class Helm:
    """Keeps values by revision, as helm 3 does."""

    def __init__(self, values: Any, chart: str = "tars-1.0.0", status: str = "deployed") -> None:
        self.values, self.chart, self.status, self.number = values, chart, status, 4
        self.asked: list[Sequence[str]] = []
        self.given: Any = None
        self.deaf = False

    def __call__(self, words: Sequence[str]) -> tuple[int, str, str]:
        self.asked.append(words)
        if words[1] == "history":
            at = "2026-01-31T12:00:00.123456789Z"
            entry = {"revision": self.number, "status": self.status, "updated": at, "chart": self.chart}
            return 0, json.dumps([entry]), ""
        if words[1] == "get":
            return 0, json.dumps(self.values), ""
        if words[1] == "show":
            return (
                0,
                'apiVersion: v2\nname: tars # ours\ndependencies:\n  - name: x\n    version: 9\nversion: "1.0.0"\n',
                "",
            )
        path = words[list(words).index("--values") + 1]
        self.given = json.loads(Path(path).read_text())
        assert Path(path).stat().st_mode & 0o077 == 0
        self.number += not self.deaf
        return 0, "", ""


def play(helm: Helm, folder: Path, check_mode: bool = False, **params: Any) -> Any:
    stop = Stop()
    call = Call({**PARAMS, **params}, check_mode, print, SystemClock(stop), stop, Progress(), Scrubber())
    return run(call, helm, str(folder))


def test_an_upgrade_changes_some_values_and_leaves_no_file(tmp_path: Path) -> None:
    helm = Helm({"image": {"tag": "1", "pull": "x"}, "password": "s3cret"})
    result = play(helm, tmp_path)
    assert (result["changed"], result["revision"], helm.given) == (True, 5, {"image": {"tag": "2"}})
    (words,) = [words for words in helm.asked if words[1] == "upgrade"]
    assert words[:5] == ["helm", "upgrade", "tars", "./chart", "--reuse-values"]
    assert words[-7:] == ["--timeout", "600s", "--wait", "--namespace", "ns", "--kubeconfig", "/k"]
    assert list(tmp_path.iterdir()) == []
    # What was not asked for may be secret.
    assert result["diff"]["before"] == '{\n  "image": {\n    "tag": "1"\n  }\n}\n'
    assert result["diff"]["after"] == '{\n  "image": {\n    "tag": "2"\n  }\n}\n'


@pytest.mark.parametrize(
    "helm,changed",
    [
        (Helm({"image": {"tag": "2"}, "other": 1}), False),
        (Helm({"image": {"tag": "1"}}), True),
        (Helm(None), True),
        (Helm({"image": {"tag": "2"}}, chart="tars-0.9.0"), True),
        (Helm({"image": {"tag": "2"}}, status="failed"), True),
    ],
)
def test_when_there_is_something_to_do(helm: Helm, changed: bool, tmp_path: Path) -> None:
    foreseen = play(helm, tmp_path, check_mode=True)
    assert foreseen["changed"] == changed and helm.given is None
    result = play(helm, tmp_path)
    assert result["changed"] == changed and result["diff"] == foreseen["diff"] and (helm.given is not None) == changed


def test_an_upgrade_that_was_none_is_a_fault(tmp_path: Path) -> None:
    helm = Helm({})
    helm.deaf = True
    with pytest.raises(RolloutError, match="whose last revision is still 4"):
        play(helm, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_values_are_merged_as_helm_does() -> None:
    there = {"a": {"b": 1, "c": 2}, "d": [1], "e": 5}
    assert merged(there, {"a": {"b": None, "x": {}}, "d": [2], "e": {"f": 1}}) == {
        "a": {"c": 2, "x": {}}, "d": [2], "e": {"f": 1},
    }  # fmt: skip
    assert there == {"a": {"b": 1, "c": 2}, "d": [1], "e": 5}


@pytest.mark.parametrize("text,chart", [("name: a\nversion: 1.2", "a-1.2"), ("{name: a}", ""), ("name: a\n", "")])
def test_name_and_version_of_a_chart(text: str, chart: str) -> None:
    assert chart_of(text) == chart
