# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills the largest table of a region's database in the lab, so that an index build takes its time there.

.venv/bin/python tests/lab/more_rows.py --region us_east_1 --rows 1200000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import psycopg

STATE = Path(__file__).parents[2] / ".lab"
# A batch is a transaction: the standby's slot keeps a limited amount of WAL.
BATCH = 100_000
ROWS = """
INSERT INTO evaluations (evaluation_id, mission_id, agent_id, region, environment, reward, status, created_at)
SELECT md5('more ' || n)::uuid, 1 + n %% 5000, (ARRAY['dqn', 'a2c', 'ppo', 'ddpg'])[1 + n %% 4], %(region)s,
  'CartPole-v1', 170 + n * 7 %% 41, 'completed', now() - n * interval '2 seconds'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n ON CONFLICT DO NOTHING
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--region", required=True, help="the inventory host, such as us_east_1")
    options.add_argument("--rows", type=int, default=1_200_000)
    options.add_argument("--state", type=Path, default=STATE, help="the lab's folder, .lab of its checkout")
    given = options.parse_args()
    env = json.loads((given.state / "env.json").read_text(encoding="utf-8"))
    secrets = json.loads((given.state / "secrets.json").read_text(encoding="utf-8"))
    host, port = env["LAB_PG_PRIMARY"].split(":")
    name = f"tars_{given.region}"
    login = {"host": host, "port": port, "user": name, "dbname": name, "password": secrets[f"postgres_{name}"]}
    with psycopg.connect(**login, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM evaluations").fetchone()
        there = row[0] if row else 0
        for first in range(1, given.rows - there + 1, BATCH):
            last = min(first + BATCH - 1, given.rows - there)
            values = {"region": given.region.replace("_", "-"), "first": first, "last": last}
            connection.execute(ROWS, values)
            print(f"{name}.evaluations: {there + last} of {given.rows} rows", flush=True)
        connection.execute("ANALYZE evaluations")


if __name__ == "__main__":
    main()
