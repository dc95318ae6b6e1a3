# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the format of the Statuspage cases, and plays them: wire cases straight, module cases through the module."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ansible
import ansible_collections.tars.rollout.plugins.module_utils._module as anchor
import requests

Case = Mapping[str, Any]
DOUBLES = Path(__file__).resolve().parents[1] / "lab" / "doubles"
ROOTS = [str(Path(ansible.__file__).parents[1]), str(Path(anchor.__file__).absolute().parents[5])]
REDACTED = "<redacted>"
TERMINAL = ("resolved", "completed")
MODULE = """
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
importlib.import_module("ansible_collections.tars.rollout.plugins.modules." + sys.argv[1]).main()
"""


def load(path: Path) -> list[Case]:
    """All cases of a file, or of all .json files of a folder that have the format, with the fixtures beside them."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    cases = [case for file in files for case in _cases(file, alone=not path.is_dir())]
    if not cases:
        raise ValueError(f"{path} holds no Statuspage case")
    return cases


def _cases(file: Path, *, alone: bool) -> Iterator[Case]:
    data = json.loads(file.read_text(encoding="utf-8"))
    # Other formats have cases and fixtures as well; only a status page has a page.
    if isinstance(data, dict) and "cases" in data and "page_id" in data.get("fixtures", {}):
        for case in data["cases"]:
            yield {**_expanded(case), "fixtures": _expanded(data["fixtures"])}
    elif alone:
        raise ValueError(f"{file} is no file of Statuspage cases: it needs cases, and fixtures with a page_id")


def _expanded(value: Any) -> Any:
    """The value with $repeat:CHAR:N written out."""
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    found = re.fullmatch(r"\$repeat:(.):(\d+)", value) if isinstance(value, str) else None
    return found[1] * int(found[2]) if found else value


@dataclass(frozen=True)
class Ran:
    """One run of a module: its result, all that it printed, and the requests that it sent."""

    result: dict[str, Any]
    output: str
    requests: list[dict[str, Any]]


class Double:
    """The double as a process of its own, and the modules run against it."""

    def __init__(self, folder: Path, token: str, page: str) -> None:
        self.token, self.page = token, page
        held = folder / "token"
        held.write_text(token, encoding="utf-8")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "double_server",
                "--apis",
                "statuspage",
                "--port",
                "0",
                "--token-file",
                str(held),
                "--page",
                page,
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(DOUBLES / part) for part in ("server", "statuspage"))},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, f"the double did not start: {line!r}"
        self.root = found[0]
        self.session = requests.Session()
        self.session.trust_env = False

    def close(self) -> None:
        self._process.terminate()
        assert self._process.wait(10) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def reset(self, case: Case) -> None:
        """The page as the case gives it. Wire cases may send unknown keys; a module that does so has failed."""
        fixtures, given = case["fixtures"], case.get("given", {})
        unknown = set(given) - {
            "incidents", "faults", "filler_newer", "components_extra", "components_filler", "postmortem", "rate_limit",
        }  # fmt: skip
        assert not unknown, f"the runner does not know given: {sorted(unknown)}"
        incidents = [
            fixtures["incidents"][name] if isinstance(name, str) else name for name in given.get("incidents", ())
        ]
        filler = [_filler_incident(index) for index in range(given.get("filler_newer", 0))]
        parts = [_filler_component(index) for index in range(given.get("components_filler", 0))]
        body = {
            "components": [*fixtures["components"], *given.get("components_extra", ()), *parts],
            "incidents": [*filler, *incidents],
            "faults": given.get("faults", []),
            "rate_limit": given.get("rate_limit") or fixtures.get("rate_limit", {"requests": 0}),
            "strict": "raw" not in case,
        }
        if given.get("postmortem"):
            body["postmortems"] = {incident["id"]: given["postmortem"] for incident in incidents}
        answer = self.session.post(f"{self.root}/_double/reset", json=body, timeout=10)
        assert answer.status_code == 200, answer.text

    def journal(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.session.get(f"{self.root}/_double/requests", timeout=10).json()["requests"]
        return entries

    def incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.session.get(f"{self.root}/_double/incidents", timeout=10).json()
        return found

    def run(self, module: str, params: Mapping[str, Any], *, check: bool = False, url: str = "") -> Ran:
        """The module in a process of its own, its arguments on stdin, as Ansible starts it."""
        before = len(self.journal())
        arguments = {
            "page_id": self.page,
            "api_key": self.token,
            "api_url": url or f"{self.root}/v1",
            **params,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_verbosity": 4,
        }
        done = subprocess.run(
            [sys.executable, "-c", MODULE, module],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*ROOTS, *filter(None, sys.path)])},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.stdout.strip().startswith("{"), f"no result: {done.stdout}{done.stderr}"
        result = json.loads(done.stdout)
        return Ran(result, done.stdout + done.stderr, self.journal()[before:])


def _filler_incident(index: int) -> dict[str, Any]:
    return {
        "id": f"f{index:011d}",
        "name": f"filler-{index}",
        "status": "resolved",
        "components": [],
        "incident_updates": [],
    }


def _filler_component(index: int) -> dict[str, Any]:
    return {
        "id": f"c{index:011d}",
        "name": f"filler-{index}",
        "status": "operational",
        "group_id": None,
        "group": False,
    }


def unmet(wanted: Mapping[str, Any], seen: Mapping[str, Any], token: str) -> str:
    """What of an expected request the journal's entry does not meet; empty for nothing."""
    if (wanted["method"], wanted["path"]) != (seen["method"], seen["path"]):
        return f"{seen['method']} {seen['path']} instead of {wanted['method']} {wanted['path']}"
    query = dict(seen["query"])
    for name, value in wanted.get("query", {}).items():
        if query.get(name) != value:
            return f"query {name} is {query.get(name)!r} instead of {value!r}"
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    for name, value in wanted.get("headers", {}).items():
        told = headers.get(name.lower(), "")
        # The double compares the key itself and never shows it; the wrong one would have been answered 401.
        if told.split(";")[0].strip() != value.replace(token, REDACTED):
            return f"header {name} is {told!r} instead of {value!r}"
    if wanted.get("json") != seen["body"]:
        return f"body is {json.dumps(seen['body'])} instead of {json.dumps(wanted.get('json'))}"
    keyed = [problem for problem in seen["problems"] if problem.startswith(("unknown key", "wrong key"))]
    return f"the double says {'; '.join(keyed)}" if keyed and wanted.get("spec_valid", True) else ""


def contains(whole: Any, part: Any) -> bool:
    """Whether all of `part` is found in `whole`; lists are compared item by item."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) >= len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def keys_within(value: Any) -> set[str]:
    """All keys at the first two levels: those of the wrapper and of the object that is written."""
    inner = value if isinstance(value, dict) else {}
    return set(inner).union(*(set(item) for item in inner.values() if isinstance(item, dict)))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
