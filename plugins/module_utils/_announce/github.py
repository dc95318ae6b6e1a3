# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""GitHub: one deployment per run, found by its payload, and statuses that are posted only when they differ.

Source: the vendor's REST API. ``auto_merge`` is always false: the default merges the base branch and makes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse, uncertain
from ansible_collections.tars.rollout.plugins.module_utils._answer import retry_after
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, bearer
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import refused as refused_answer

API = "https://api.github.com"
STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
DESCRIPTION_LIMIT = 140
PAGE_SIZE, PAGES = 100, 10
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "tars.rollout",
}


@dataclass(frozen=True)
class Repository:
    """``owner/name`` behind a token."""

    name: str
    token: str = field(repr=False)
    base_url: str = API


def deploy(wire: Wire, repo: Repository, wanted: Mapping[str, Any], sent: Mapping[str, Any]) -> Outcome:
    """See that the deployment exists and that its newest status is the one wanted.

    ``wanted``: key, ref, environment, task, description, state, and the addresses that a status takes. ``sent`` may
    hold the id of the deployment, which is then not searched for.
    """
    _check(repo, wanted)
    with wire.client(repo.base_url, bearer(repo.token), _HEADERS) as client:
        return _Work(wire, client, repo, wanted).run(sent.get("deployment_id"))


class _Work:
    def __init__(self, wire: Wire, client: Client, repo: Repository, wanted: Mapping[str, Any]) -> None:
        self._wire = wire
        self._client = client
        self._wanted = wanted
        self._scrub = wire.scrubber
        owner, _slash, name = repo.name.partition("/")
        self._root = f"repos/{quote(owner, safe='')}/{quote(name, safe='')}/deployments"

    def run(self, known: Any) -> Outcome:
        deployment = known or self._find()
        made = deployment is None
        if made and not self._wire.check_mode:
            deployment = self._create()
        newest = {} if deployment is None or made else self._newest(deployment)
        ids = {"deployment_id": deployment} if deployment is not None else {}
        told = self._status()
        same = all(newest.get(name, "") == value for name, value in told.items() if name != "auto_inactive")
        if newest and same:
            return Outcome("unchanged", ids)
        if not self._wire.check_mode:
            self._call("POST", f"{self._root}/{deployment}/statuses", json=told)
        before = {"state": newest.get("state"), "description": newest.get("description")} if newest else {}
        return Outcome("sent" if made else "updated", ids, before, {**told, "key": self._wanted["key"]})

    def _status(self) -> dict[str, Any]:
        names = ("description", "log_url", "environment_url")
        told = {name: self._wanted[name] for name in names if self._wanted.get(name)}
        return {"state": self._wanted["state"], **told, "auto_inactive": self._wanted.get("auto_inactive", True)}

    def _find(self) -> Any:
        """Id of the oldest deployment with our key: of two that raced, all runs take the same one."""
        filters = {name: self._wanted[name] for name in ("environment", "task") if self._wanted.get(name)}
        found = []
        for page in range(1, PAGES + 1):
            part = self._call("GET", self._root, params={**filters, "per_page": PAGE_SIZE, "page": page})
            if not isinstance(part, list):
                raise refuse("GitHub answered with no list of deployments", "Check base_url", reason="github_odd")
            found += [item["id"] for item in part if _key_of(item) == self._wanted["key"]]
            if len(part) < PAGE_SIZE:
                return min(found) if found else None
        if found:
            return min(found)
        raise refuse(
            f"Read {PAGES * PAGE_SIZE} deployments and there are more",
            "Give environment and task",
            reason="search_incomplete",
        )

    def _create(self) -> Any:
        wanted = self._wanted
        body = {
            "ref": wanted["ref"],
            "task": wanted.get("task") or "deploy",
            "environment": wanted["environment"],
            "description": wanted.get("description") or "",
            "auto_merge": False,
            "required_contexts": wanted.get("required_contexts") or [],
            "payload": {"tars_run": wanted["key"]},
        }
        try:
            self._call("POST", self._root, json=body)
        except HttpError as fault:
            if not uncertain(fault):
                raise
            if self._find() is None:
                self._call("POST", self._root, json=body)
        # Read again: another run may have made one at the same time, and the older one counts.
        found = self._find()
        if found is None:
            raise refuse(
                "GitHub took the deployment and does not list it",
                "Run it again: it looks first and makes none twice",
                reason="outcome_unknown",
            )
        return found

    def _newest(self, deployment: Any) -> Mapping[str, Any]:
        statuses = self._call("GET", f"{self._root}/{deployment}/statuses", params={"per_page": 1})
        return statuses[0] if isinstance(statuses, list) and statuses else {}

    def _call(self, method: str, path: str, **request: Any) -> Any:
        """One call; a limit that answers 403 with Retry-After is waited for, once, within the deadline."""
        for attempt in (1, 2):
            answer = self._client.call(method, path, accept=frozenset({403}), **request)
            wait = _wait_of(answer.headers, self._wire.clock.now())
            if answer.status != 403:
                return self._decoded(answer)
            if attempt == 2 or wait is None or wait >= self._wire.deadline.remaining:
                break
            self._wire.clock.sleep(wait, "waiting for the rate limit of GitHub")
        raise refused_answer(self._scrub, method, answer)

    @staticmethod
    def _decoded(answer: Any) -> Any:
        if answer.status == 202:
            raise refuse("GitHub merged a branch and made no deployment", "Run it again", reason="github_merged")
        try:
            return json.loads(answer.text)
        except ValueError:
            raise refuse("GitHub answered with no JSON", "Check base_url", reason="github_odd") from None


def _wait_of(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a limit asks to wait: Retry-After, or the moment when the hour's limit of calls begins anew."""
    wait = retry_after(headers.get("retry-after"), now)
    if wait is None and headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
        return max(1.0, float(headers["x-ratelimit-reset"]) - now)
    return wait


def _key_of(item: Mapping[str, Any]) -> str:
    payload = item.get("payload")
    return str(payload.get("tars_run", "")) if isinstance(payload, Mapping) else ""


def _check(repo: Repository, wanted: Mapping[str, Any]) -> None:
    if repo.name.count("/") != 1 or not all(repo.name.split("/")):
        raise refuse(f"repository is {repo.name!r}", "Give owner/name")
    if wanted["state"] not in STATES:
        raise refuse(f"state is {wanted['state']!r}", f"Give one of {', '.join(STATES)}")
    if len(wanted.get("description") or "") > DESCRIPTION_LIMIT:
        raise refuse(f"description has more than {DESCRIPTION_LIMIT} characters", "Shorten it")
