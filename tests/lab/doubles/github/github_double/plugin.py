# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plug-in: repositories that have nothing but deployments."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from double_server import api
from double_server.call import Call, Refused, Reply
from double_server.clock import Clock, stamp

PER_PAGE = 30


class Plugin(api.Api):
    name = "github"
    prefixes = ("/repos/",)
    contract = str(Path(__file__).with_name("github.yaml"))

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock, token)
        self._deployments: list[dict[str, Any]] = []
        self._behind = 0
        self._count = 0

    def routes(self) -> Sequence[tuple[str, str, api.Handler]]:
        root = "/repos/{owner}/{repo}"
        return (
            ("GET", root, self._repo),
            ("GET", root + "/deployments", self._listed),
            ("POST", root + "/deployments", self._created),
            ("GET", root + "/deployments/{id}", self._read),
            ("GET", root + "/deployments/{id}/statuses", self._statuses),
            ("POST", root + "/deployments/{id}/statuses", self._status),
        )

    def admit(self, call: Call) -> None:
        scheme, _space, given = call.headers.get("Authorization", "").partition(" ")
        # The vendor takes `token` as well, which its own older clients send.
        if scheme not in ("Bearer", "token") or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise Refused(401, _said("Bad credentials"), f"scheme word {scheme[:20]!r} or a wrong token")
        if not call.headers.get("User-Agent"):
            raise Refused(403, _said("Request forbidden by administrative rules."), "no User-Agent")

    def refuse(self, problem: str) -> Refused:
        return Refused(422, {**_said("Validation Failed"), "errors": [problem]}, f"against the contract: {problem}")

    def absent(self, problem: str) -> Refused:
        return Refused(404, _said("Not Found"), problem)

    def limited(self, wait: int, status: int) -> Reply:
        said = _said("You have exceeded a secondary rate limit")
        return Reply(status if status in (403, 429) else 403, said, {"Retry-After": str(wait)})

    def start(self, given: Mapping[str, Any]) -> None:
        self._deployments, self._count = [], 0
        self._behind = int(given.get("behind", 0))

    def state(self) -> Any:
        return {"deployments": self._deployments}

    def messages(self) -> Sequence[api.Message]:
        return [
            api.Message(
                f"{item['repo']} {item['ref']} to {item['environment']}",
                item["description"] or item["task"],
                [f"{status['created_at']} {status['state']}: {status['description']}" for status in item["statuses"]],
                item["statuses"][-1]["state"] if item["statuses"] else "pending",
            )
            for item in reversed(self._deployments)
        ]

    def _repo(self, call: Call) -> Reply:
        owner, name = call.args["owner"], call.args["repo"]
        url = f"/repos/{owner}/{name}"
        return Reply(
            200, {"id": 1, "name": name, "full_name": f"{owner}/{name}", "url": url, "owner": {"login": owner}}
        )

    def _listed(self, call: Call) -> Reply:
        query = dict(call.query)
        found = [item for item in reversed(self._deployments) if item["repo"] == _repo(call)]
        for name in ("sha", "ref", "environment", "task"):
            # "none" is what the vendor's own default means: no filter.
            if query.get(name, "none") != "none":
                found = [item for item in found if item[name] == query[name]]
        size = int(query.get("per_page", PER_PAGE))
        first = (int(query.get("page", 1)) - 1) * size
        return Reply(200, [_shown(item) for item in found[first : first + size]])

    def _created(self, call: Call) -> Reply:
        values = _values(call)
        if values.get("auto_merge", True) and self._behind:
            # The base branch is ahead: it was merged, and no deployment was made.
            self._behind -= 1
            return Reply(202, {"message": "Auto-merged the base branch into the ref on deployment."})
        self._count += 1
        now = stamp(self.clock.now())
        item = {
            "id": self._count,
            "repo": _repo(call),
            "sha": values["ref"],
            "ref": values["ref"],
            "task": values.get("task", "deploy"),
            "environment": values.get("environment", "production"),
            "payload": values.get("payload", {}),
            "description": values.get("description") or "",
            "transient_environment": values.get("transient_environment", False),
            "production_environment": values.get("production_environment", values.get("environment") == "production"),
            "created_at": now,
            "updated_at": now,
            "statuses": [],
        }
        self._deployments.append(item)
        return Reply(201, _shown(item))

    def _read(self, call: Call) -> Reply:
        return Reply(200, _shown(self._find(call)))

    def _statuses(self, call: Call) -> Reply:
        return Reply(200, list(reversed(self._find(call)["statuses"])))

    def _status(self, call: Call) -> Reply:
        item, values = self._find(call), _values(call)
        now = stamp(self.clock.now())
        made = {
            "id": sum(len(one["statuses"]) for one in self._deployments) + 1,
            "state": values["state"],
            "description": values.get("description", ""),
            "environment": values.get("environment", item["environment"]),
            "log_url": values.get("log_url", ""),
            "environment_url": values.get("environment_url", ""),
            "url": f"/repos/{item['repo']}/deployments/{item['id']}/statuses",
            "created_at": now,
            "updated_at": now,
        }
        item["statuses"].append(made)
        if values["state"] == "success" and values.get("auto_inactive", True):
            self._others_inactive(item, now)
        return Reply(201, made)

    def _others_inactive(self, item: Mapping[str, Any], now: str) -> None:
        """What the vendor does by default: older successful ones of the environment are inactive."""
        for other in self._deployments:
            same = (other["repo"], other["environment"]) == (item["repo"], item["environment"])
            if same and other is not item and other["statuses"] and other["statuses"][-1]["state"] == "success":
                other["statuses"].append({**other["statuses"][-1], "state": "inactive", "created_at": now})

    def _find(self, call: Call) -> dict[str, Any]:
        wanted = (_repo(call), call.args["id"])
        found = next((item for item in self._deployments if (item["repo"], str(item["id"])) == wanted), None)
        if found is None:
            raise self.absent(f"no deployment {call.args['id']}")
        return found


def _repo(call: Call) -> str:
    return f"{call.args['owner']}/{call.args['repo']}"


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    url = f"/repos/{item['repo']}/deployments/{item['id']}"
    own = {name: value for name, value in item.items() if name not in ("statuses", "repo")}
    return {**own, "url": url, "statuses_url": f"{url}/statuses", "original_environment": item["environment"]}


def _values(call: Call) -> dict[str, Any]:
    try:
        call.parsed = json.loads(call.raw)
    except ValueError:
        raise Refused(400, _said("Problems parsing JSON"), "the body is no JSON") from None
    if not isinstance(call.parsed, dict):
        raise Refused(400, _said("Body should be a JSON object"), "the body is no object")
    return call.parsed


def _said(message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}
