# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Alertmanager: a silence for one region that ends by itself, found by its key.

Source: Alertmanager's API v2, seen on 0.25 and 0.33. From 0.33 on a silence has annotations, where the key belongs; the
comment carries it everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._http import Client
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, seconds_of


@dataclass(frozen=True)
class Alertmanager:
    """A server by its address."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def silence(wire: Wire, server: Alertmanager, wanted: Mapping[str, Any]) -> Outcome:
    """See that the silence is there (or gone). ``wanted``: key, region, region_label, matchers, duration, state."""
    matchers = _matchers(wanted)
    with wire.client(server.url, server.headers) as client:
        held = _find(client, wanted["key"])
        if wanted.get("state") == "absent":
            return _remove(wire, client, held)
        return _keep(wire, client, wanted, matchers, held)


def _keep(
    wire: Wire,
    client: Client,
    wanted: Mapping[str, Any],
    matchers: list[dict[str, Any]],
    held: Sequence[Mapping[str, Any]],
) -> Outcome:
    now, duration = wire.clock.now(), float(wanted["duration"])
    if not 60 <= duration <= 86400 * 7:
        raise refuse(f"duration is {duration:g} s", "Give seconds from 60 to 604800: a silence must end by itself")
    same = [item for item in held if _comparable(item["matchers"]) == _comparable(matchers)]
    # While half of it is left nothing is written, so that running again changes nothing.
    lasting = [item for item in same if seconds_of(item["endsAt"]) >= now + duration / 2]
    others = [item["id"] for item in held if item not in same]
    if lasting and not others:
        return Outcome("unchanged", {"silence_id": lasting[0]["id"]})
    comment = f"{wanted.get('comment') or 'Rollout'} [tars:{wanted['key']}]"
    body: dict[str, Any] = {
        "matchers": matchers,
        "startsAt": same[0]["startsAt"] if same else moment(now),
        "endsAt": moment(now + duration),
        "createdBy": wanted.get("created_by") or "tars.rollout",
        "comment": comment,
    }
    before = {"endsAt": same[0]["endsAt"]} if same else {}
    after = {"endsAt": body["endsAt"], "matchers": [_word(item) for item in matchers]}
    act = "updated" if held else "sent"
    if wire.check_mode:
        return Outcome(act, {"silence_id": same[0]["id"]} if same else {}, before, after)
    if not lasting:
        if _annotates(client):
            body["annotations"] = {"tars_key": wanted["key"]}
        body |= {"id": same[0]["id"]} if same else {}
        answer = client.json("POST", "api/v2/silences", json=body, idempotent=bool(same))
        made = answer["silenceID"]
    else:
        made = lasting[0]["id"]
    for old in others:
        client.call("DELETE", f"api/v2/silence/{old}", accept=frozenset({404}))
    return Outcome(act, {"silence_id": made}, before, after)


def _remove(wire: Wire, client: Client, held: Sequence[Mapping[str, Any]]) -> Outcome:
    if not held:
        return Outcome("unchanged")
    for item in held if not wire.check_mode else ():
        client.call("DELETE", f"api/v2/silence/{item['id']}", accept=frozenset({404}))
    return Outcome("removed", {}, {"silences": [item["id"] for item in held]}, {})


def _find(client: Client, key: str) -> list[Mapping[str, Any]]:
    """All silences with the key that have not expired."""
    listed = client.json("GET", "api/v2/silences")
    if not isinstance(listed, list):
        raise refuse("Alertmanager answered with no list of silences", "Check url", reason="alertmanager_odd")
    mark = f"[tars:{key}]"
    return [
        item
        for item in listed
        if (item.get("status") or {}).get("state") != "expired"
        and (mark in str(item.get("comment")) or (item.get("annotations") or {}).get("tars_key") == key)
    ]


def _annotates(client: Client) -> bool:
    found = client.json("GET", "api/v2/status")
    version = str(((found or {}).get("versionInfo") or {}).get("version", ""))
    parts = re.match(r"(\d+)\.(\d+)", version)
    return bool(parts) and (int(parts[1]), int(parts[2])) >= (0, 33) if parts else False


def _matchers(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The given ones and always the region: a silence never covers another one."""
    if not wanted.get("region"):
        raise refuse("region is empty", "Give the region: a silence is for one of them")
    label = wanted.get("region_label") or "region"
    given = [item for item in wanted.get("matchers") or () if item["name"] != label]
    found = [{"name": label, "value": wanted["region"], "isRegex": False, "isEqual": True}]
    for item in given:
        regex, equal = bool(item.get("is_regex")), item.get("is_equal", True)
        found.append({"name": item["name"], "value": str(item["value"]), "isRegex": regex, "isEqual": bool(equal)})
    return found


def _comparable(matchers: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((m["name"], m["value"], bool(m.get("isRegex")), m.get("isEqual", True)) for m in matchers)


def _word(item: Mapping[str, Any]) -> str:
    sign = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
    return f"{item['name']}{sign[item['isEqual'], item['isRegex']]}{item['value']}"
