# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The options of pg_index_concurrently, and what they mean to the layers below."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import MASK
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, wanted

_EXPLAIN: dict[str, Any] = {
    "query": {"type": "str", "required": True},
    "max_ms": {"type": "float"},
    "analyze": {"type": "bool"},
}
_REPLICA: dict[str, Any] = {
    "name": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
_SPACE: dict[str, Any] = {"min_free_after_gb": {"type": "float", "required": True}, "free_gb": {"type": "float"}}
_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

# What describes one index: the options of the single form, and those of an entry of the list.
INDEX: dict[str, Any] = {
    "name": {"type": "str"},
    "schema": {"type": "str"},
    "table": {"type": "str"},
    "columns": {"type": "list", "elements": "raw"},
    "include": {"type": "list", "elements": "str"},
    "unique": {"type": "bool", "default": False},
    "nulls_not_distinct": {"type": "bool", "default": False},
    "method": {"type": "str", "default": "btree"},
    "where": {"type": "str"},
    "storage_params": {"type": "dict"},
    "tablespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "on_invalid": {"type": "str", "choices": ["rebuild", "fail"], "default": "rebuild"},
    "on_drift": {"type": "str", "choices": ["fail", "replace", "ignore"], "default": "fail"},
    "sweep_leftovers": {"type": "bool", "default": False},
    "explain": {"type": "dict", "options": _EXPLAIN},
}
CONNECTION: dict[str, Any] = {
    "login_host": {"type": "str"},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str", "required": True},
    "ssl_mode": {"type": "str", "choices": _MODES},
    "ca_cert": {"type": "path"},
    "verify_replicas": {"type": "list", "elements": "dict", "default": [], "options": _REPLICA},
    "replica_timeout": {"type": "float", "default": 60.0},
    "region": {"type": "str", "default": ""},
    "evidence": {"type": "path"},
}
SPEC: dict[str, Any] = {
    **INDEX,
    **CONNECTION,
    "indexes": {
        "type": "list",
        "elements": "dict",
        "options": {**INDEX, "name": {"type": "str", "required": True}},
    },
    "allow_pooler": {"type": "bool", "default": False},
    "wait_for_blockers": {"type": "float", "default": 60.0},
    "timeout": {"type": "float", "default": 14400.0},
    "retries": {"type": "int", "default": 0},
    "maintenance_work_mem": {"type": "str"},
    "max_parallel_maintenance_workers": {"type": "int"},
    "max_replication_lag": {"type": "float"},
    "free_space": {"type": "dict", "options": _SPACE},
}
# With a list nothing beside it may describe an index: it would be passed over without a word.
EXCLUSIVE = [("indexes", name) for name, option in INDEX.items() if "default" not in option]
# A connection string in the place of a name: its password would end up in the server's own messages.
_DSN = re.compile(r"://|\b(host|hostaddr|port|user|password|passfile|dbname|service|sslmode)\s*=", re.IGNORECASE)


def check_names(params: Mapping[str, Any]) -> None:
    """Refuse a connection string in the place of a name, for the primary and for every replica."""
    login = ("login_host", "login_db", "login_user")
    given = [(name, params[name]) for name in login]
    for number, entry in enumerate(params["verify_replicas"], start=1):
        given += [(f"{name} of entry {number} of verify_replicas", entry[name]) for name in ("name", "host", "user")]
    for name, value in given:
        if _DSN.search(value or ""):
            hidden = dict.fromkeys((*login, "verify_replicas"), MASK)
            raise IndexFault(
                f"{name} holds a whole connection string, which is not repeated here",
                reason="input",
                hint="Give its parts: host, port, user and password, each in the option of that name",
                # Ansible itself would repeat the options as they were given.
                fields={"invocation": {"module_args": {**params, **hidden}}},
            )


def address(params: Mapping[str, Any]) -> Address:
    """The primary; refuses a connection string in the place of a name."""
    check_names(params)
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


def all_wanted(params: Mapping[str, Any]) -> list[Wanted]:
    """Every index of the call; raises IndexFault for names given twice and numbers that mean nothing."""
    for name in ("wait_for_blockers", "timeout", "replica_timeout", "retries"):
        if not 0 <= params[name] < float("inf"):
            raise IndexFault(f"{name} is {params[name]}, and must be 0 or more", reason="input", hint="Correct it")
    entries = params["indexes"] if params["indexes"] is not None else [{key: params[key] for key in INDEX}]
    found = [wanted(entry) for entry in entries]
    names = [(one.schema, one.name) for one in found]
    if len(set(names)) != len(names):
        raise IndexFault("indexes names an index twice", reason="input", hint="Give each of them once")
    return found
