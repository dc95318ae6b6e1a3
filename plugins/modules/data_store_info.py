#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: data_store_info
short_description: Ask PostgreSQL and Redis whether a release may begin
description:
  - Asks every named server at once, and fails when one does not answer, has another role than wanted, or has
    standbys that are behind.
  - The lag is measured, not believed. The place in the log where the primary is now must have been replayed by every
    streaming standby within C(max_lag). An idle primary has no lag, however old its last transaction is.
  - Reads only.
attributes:
  check_mode:
    description: Reads as always.
    support: full
  diff_mode:
    description: There is nothing that it changes.
    support: none
options:
  region:
    description: Name of the region, for messages.
    type: str
  postgresql:
    description: Servers of PostgreSQL.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What messages call it.
        type: str
      host:
        description: Host name or address.
        type: str
        required: true
      port:
        description: Port.
        type: int
        default: 5432
      user:
        description: Login. Seeing how far standbys are needs C(pg_monitor).
        type: str
      password:
        description: Password.
        type: str
      database:
        description: Database to connect to.
        type: str
        default: postgres
      ssl_mode:
        description: As C(sslmode) of libpq.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      ca_cert:
        description: File with certificates that are trusted.
        type: path
      role:
        description: The role that it must have.
        type: str
        choices: [primary, standby]
        default: primary
      standbys:
        description: How many standbys must stream from it.
        type: int
        default: 0
      max_lag:
        description: Seconds within which all its standbys must have replayed what is written now.
        type: float
  redis:
    description: Servers of Redis.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What messages call it.
        type: str
      host:
        description: Host name or address.
        type: str
        required: true
      port:
        description: Port.
        type: int
        default: 6379
      user:
        description: Name of the login.
        type: str
      password:
        description: Password.
        type: str
      tls:
        description: Whether to speak TLS.
        type: bool
        default: false
      ca_cert:
        description: File with certificates that are trusted.
        type: path
      role:
        description: The role that it must have; any when not given.
        type: str
        choices: [master, replica]
requirements:
  - psycopg 3, when O(postgresql) is given
  - redis (the Python client), when O(redis) is given
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: See that the data stores of the region are whole
  tars.rollout.data_store_info:
    region: us-west-2
    postgresql:
      - host: pg.us-west-2.example.net
        user: monitor
        password: "{{ pg_password }}"
        standbys: 1
        max_lag: 5
    redis:
      - {host: redis.us-west-2.example.net, role: master}
"""

RETURN = r"""
stores:
  description: What each server answered, in the order of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: PostgreSQL, kind: postgresql, at: "pg:5432/db", role: primary, version: "15.8", standbys: 1, lag_s: 0.1}
    - {name: Redis, kind: redis, at: "redis:6379", role: master, replicas: 1}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: replica_behind}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._data_stores import run
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


def spec() -> dict[str, Any]:
    server: dict[str, Any] = {
        "name": {"type": "str"},
        "host": {"type": "str", "required": True},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
    }
    postgresql = {
        **server,
        "port": {"type": "int", "default": 5432},
        "database": {"type": "str", "default": "postgres"},
        "ssl_mode": {"type": "str", "choices": MODES},
        "role": {"type": "str", "choices": ["primary", "standby"], "default": "primary"},
        "standbys": {"type": "int", "default": 0},
        "max_lag": {"type": "float"},
    }
    redis = {
        **server,
        "port": {"type": "int", "default": 6379},
        "tls": {"type": "bool", "default": False},
        "role": {"type": "str", "choices": ["master", "replica"]},
    }
    return {
        "region": {"type": "str"},
        "postgresql": {"type": "list", "elements": "dict", "default": [], "options": postgresql},
        "redis": {"type": "list", "elements": "dict", "default": [], "options": redis},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
