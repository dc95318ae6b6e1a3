# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""data_store_info against the lab's Redis, as Ansible runs it."""

from __future__ import annotations

import os

from lab_tools import Lab, module


def test_the_master_of_redis_answers_and_is_no_replica(lab: Lab) -> None:
    host, port = os.environ["LAB_REDIS"].split(":")
    entry = {"host": host, "port": int(port)}
    found = module("data_store_info", {"redis": [{**entry, "role": "master"}]})
    assert found["stores"] == [
        {"name": "Redis", "kind": "redis", "at": f"{host}:{port}", "role": "master", "replicas": 1}
    ]
    refused = module("data_store_info", {"region": "us-west-2", "redis": [{**entry, "role": "replica"}]})
    assert refused["reason"] == "store_role"
    assert "it is a master, and a replica is wanted" in refused["msg"]
