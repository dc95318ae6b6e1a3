# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The options of pg_index_concurrently, and what they mean to the layers below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.plans import Question
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, wanted


def address(params: Mapping[str, Any]) -> Address:
    """The primary."""
    return Address(
        host=params["login_host"] or "",
        port=params["login_port"],
        user=params["login_user"] or "",
        password=params["login_password"] or "",
        database=params["login_db"],
        ssl_mode=params["ssl_mode"] or "",
        ca_cert=params["ca_cert"] or "",
    )


def replicas(params: Mapping[str, Any]) -> dict[str, Address]:
    """Name to address; what an entry does not say is as on the primary."""
    base = address(params)
    found = {}
    for entry in params["verify_replicas"]:
        host, port = entry["host"] or base.host, entry["port"] or base.port
        user, password = entry["user"] or base.user, entry["password"] or base.password
        name = entry["name"] or f"{host}:{port}"
        found[name] = Address(host, port, user, password, base.database, base.ssl_mode, base.ca_cert)
    return found


def question(params: Mapping[str, Any]) -> Question | None:
    """The plan check; a limit of time means to run the query."""
    if (asked := params["explain"]) is None:
        return None
    analyze = asked["max_ms"] is not None if asked["analyze"] is None else asked["analyze"]
    return Question(asked["query"], asked["max_ms"], analyze)


def all_wanted(params: Mapping[str, Any], single: Mapping[str, Any]) -> list[Wanted]:
    """Every index of the call; raises IndexFault for names given twice and numbers that mean nothing."""
    for name in ("wait_for_blockers", "timeout", "replica_timeout", "retries"):
        if not 0 <= params[name] < float("inf"):
            raise IndexFault(f"{name} is {params[name]}, and must be 0 or more", reason="input", hint="Correct it")
    entries = params["indexes"] if params["indexes"] is not None else [{key: params[key] for key in single}]
    found = [wanted(entry) for entry in entries]
    names = [(one.schema, one.name) for one in found]
    if len(set(names)) != len(names):
        raise IndexFault("indexes names an index twice", reason="input", hint="Give each of them once")
    return found
