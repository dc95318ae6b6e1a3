# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches a primary and its replicas."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Host of the primary, or folder of its socket.
    type: str
  login_port:
    description: Port of the primary.
    type: int
    default: 5432
  login_user:
    description: Role to log in as. It must own the tables.
    type: str
  login_password:
    description: Its password. Without it C(PGPASSFILE) counts.
    type: str
  login_db:
    description: The database.
    type: str
    required: true
  ssl_mode:
    description: How TLS is used, as libpq's C(sslmode).
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: Path of the certificates to check the server's with.
    type: path
  verify_replicas:
    description: Replicas that must have replayed what was done and must have it in the end.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name for messages; host and port when not given.
        type: str
      host:
        description: Host of the replica; O(login_host) when not given.
        type: str
      port:
        description: Port of the replica; O(login_port) when not given.
        type: int
      user:
        description: Role to log in as; O(login_user) when not given.
        type: str
      password:
        description: Its password; O(login_password) when not given.
        type: str
  replica_timeout:
    description: Seconds to wait for the replicas.
    type: float
    default: 60.0
  region:
    description: Name of the region, for live lines.
    type: str
    default: ""
  evidence:
    description:
      - A file (JSON) in which everything that is added is written down before it is added, so that a rollback knows it.
      - It grows over calls, and holds C(migrations) and C(indexes). What was there before the first call is not in it.
    type: path
requirements:
  - psycopg (version 3)
"""
