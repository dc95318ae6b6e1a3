# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pg_index_concurrently costs over psql, beside community.postgresql.postgresql_idx: build/bench/pg.json.

All figures are ratios within this run. Pairs are interleaved. The duration of a build is the one that the server logs.
Returns 1 when a promise is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from promised import Promise, ended
from tars_servers import PostgresServer

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "bench" / "pg.json"
# Where "pip install ansible" keeps the collections that it brings along, unpacked once.
OTHERS = ROOT / "build" / "bench" / "ansible"
LOGGED = re.compile(r"duration: ([0-9.]+) ms  (?:statement|execute <unnamed>): CREATE INDEX", re.IGNORECASE)
SETTINGS = {"log_min_duration_statement": 0, "log_statement": "none", "max_wal_size": "8GB", "shared_buffers": "256MB"}
UPDATES, SECONDS = 200, 20


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--pairs", type=int, default=7)
    given = options.parse_args()
    with PostgresServer(settings=SETTINGS) as server, server.connect(application_name="bench") as connection:
        connection.execute("CREATE TABLE t (id bigint, a int, c int)")
        fill = "INSERT INTO t SELECT i, (random() * 1e6)::int, i FROM generate_series(1, %s) i"
        connection.execute(fill, [given.rows])
        connection.execute("VACUUM ANALYZE t")
        found = {
            "rows": given.rows,
            "pairs": given.pairs,
            "build": builds(server, connection, given.pairs),
            "noop_50_s": noop(server, connection),
            "updates": updates(server, connection),
        }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    show(found)
    return ended(promises(found))


def promises(found: dict[str, Any]) -> list[Promise]:
    """What is promised of these figures, and whether it was kept."""
    build, load = found["build"], found["updates"]
    return [
        ("a build by the server's log <= 1.05 of psql's", build["ratio_to_psql"] <= 1.05),
        ("a task without Ansible's start <= 1.1 of psql", build["task_ratio_to_psql"] <= 1.1),
        ("50 indexes that are there in <= 2 s", found["noop_50_s"] <= 2),
        ("no failed update", not load["without"]["errors"] and not load["during_builds"]["errors"]),
    ]


# Three ways to one index


def ansible(module: str, arguments: dict[str, Any]) -> float:
    """Seconds of one task in a process of its own; raises when it fails."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-i", "localhost,"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "-m", module, "-a", json.dumps(arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.ansible' / 'collections'}:{OTHERS}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began


def ours(server: PostgresServer) -> float:
    login = {f"login_{key}": server.params[key] for key in ("host", "port", "user", "password")}
    return ansible(
        "tars.rollout.pg_index_concurrently",
        {**login, "login_db": "postgres", "name": "ix", "table": "t", "columns": ["a"]},
    )


def postgresql_idx(server: PostgresServer) -> float:
    login = {f"login_{key}": server.params[key] for key in ("host", "port", "user", "password")}
    wanted = {"login_db": "postgres", "idxname": "ix", "table": "t", "columns": ["a"]}
    return ansible("community.postgresql.postgresql_idx", {**login, **wanted})


def psql(server: PostgresServer) -> float:
    began = time.monotonic()
    subprocess.run(
        [server.programs.bin / "psql", "-qX", "-h", server.host, "-p", str(server.port), "-U", "postgres", "postgres"],
        input="CREATE INDEX CONCURRENTLY ix ON t (a);\n",
        env={"PGPASSWORD": server.password, "PATH": "/usr/bin:/bin"},
        check=True,
        text=True,
    )
    return time.monotonic() - began


def builds(server: PostgresServer, connection: psycopg.Connection[Any], pairs: int) -> dict[str, Any]:
    """Medians over interleaved rounds: the server's own duration, and the whole task without Ansible's start."""
    ways: dict[str, Callable[[PostgresServer], float]] = {"psql": psql, "ours": ours}
    if others():
        ways["postgresql_idx"] = postgresql_idx
    logged: dict[str, list[float]] = {name: [] for name in ways}
    whole: dict[str, list[float]] = {name: [] for name in ways}
    starts: list[float] = []
    for number in range(pairs):
        # Each round begins with another one, so that none always follows the same.
        order = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
        starts.append(ansible("ansible.builtin.ping", {"data": "pong"}))
        for name in order:
            connection.execute("DROP INDEX IF EXISTS ix")
            connection.execute("CHECKPOINT")
            at = server.log.stat().st_size
            whole[name].append(ways[name](server))
            logged[name].append(_logged(server, at))
        print(f"round {number + 1}/{pairs}: " + ", ".join(f"{n} {logged[n][-1]:.2f} s" for n in ways), flush=True)
    start, base = statistics.median(starts), statistics.median(logged["psql"])
    ratios = [b / a for a, b in zip(logged["psql"], logged["ours"], strict=True)]
    found: dict[str, Any] = {
        "ansible_start_s": round(start, 3),
        "psql_s": round(base, 3),
        "ratio_to_psql": round(statistics.median(ratios), 3),
        "ratio_of_medians": round(statistics.median(logged["ours"]) / base, 3),
        "ratios": [round(one, 3) for one in ratios],
    }
    for name in ways:
        own = statistics.median(logged[name])
        task = statistics.median(whole[name]) - (start if name != "psql" else 0)
        found[name] = {"logged_s": round(own, 3), "task_s": round(task, 3)}
    found["task_ratio_to_psql"] = round(found["ours"]["task_s"] / found["psql"]["task_s"], 3)
    return found


def _logged(server: PostgresServer, at: int) -> float:
    limit = time.monotonic() + 5
    while True:
        with server.log.open("rb") as log:
            log.seek(at)
            seen = LOGGED.findall(log.read().decode(errors="replace"))
        if seen:
            return float(seen[-1]) / 1000
        if time.monotonic() > limit:
            raise SystemExit("the server logged no duration of a CREATE INDEX")
        time.sleep(0.05)


def others() -> bool:
    """Whether community.postgresql is there; it comes with the package ansible."""
    if not (OTHERS / "ansible_collections" / "community" / "postgresql").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(OTHERS), "ansible"]
        subprocess.run(command, check=False)
    return (OTHERS / "ansible_collections" / "community" / "postgresql").is_dir()


def noop(server: PostgresServer, connection: psycopg.Connection[Any]) -> float:
    """Seconds of one task for 50 indexes that are all there, without Ansible's start: the median of five."""
    connection.execute("CREATE TABLE s AS SELECT id, a FROM t LIMIT 10000")
    wanted = [{"name": f"s{n}", "table": "s", "columns": ["a"], "where": f"id > {n}"} for n in range(50)]
    for entry in wanted:
        connection.execute(f"CREATE INDEX {entry['name']} ON s (a) WHERE {entry['where']}".encode())
    login = {f"login_{key}": server.params[key] for key in ("host", "port", "user", "password")}
    took = []
    for _round in range(5):
        start = ansible("ansible.builtin.ping", {"data": "pong"})
        arguments = {**login, "login_db": "postgres", "indexes": wanted}
        took.append(ansible("tars.rollout.pg_index_concurrently", arguments) - start)
    return round(statistics.median(took), 3)


def updates(server: PostgresServer, connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Latency of 200 updates a second on the table, with builds going on and without; milliseconds."""
    connection.execute("CREATE INDEX IF NOT EXISTS t_id ON t (id)")
    connection.execute("DROP INDEX IF EXISTS ix")
    quiet = _load(server, lambda: None)

    def build() -> None:
        ours(server)
        connection.execute("DROP INDEX CONCURRENTLY IF EXISTS ix")

    busy = _load(server, build)
    return {"without": quiet, "during_builds": busy, "p99_ratio": round(busy["p99_ms"] / quiet["p99_ms"], 2)}


def _load(server: PostgresServer, beside: Callable[[], None]) -> dict[str, Any]:
    over, took, errors = threading.Event(), [], []

    def work(offset: float) -> None:
        with server.connect(application_name="load") as connection:
            at = time.monotonic() + offset
            while not over.is_set():
                at += 2 / UPDATES
                over.wait(max(0.0, at - time.monotonic()))
                row = int(at * 1e6) % 100000 + 1
                try:
                    # From when it was due: whoever waits makes those behind wait too.
                    connection.execute("UPDATE t SET c = c + 1 WHERE id = %s", [row])
                    took.append((time.monotonic() - at) * 1000)
                except psycopg.Error as error:
                    errors.append(str(error))

    threads = [threading.Thread(target=work, args=(offset / UPDATES,)) for offset in range(2)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        beside()
        over.wait(0.1)
    over.set()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(took, n=100)
    return {"updates": len(took), "errors": len(errors), "p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}


def show(found: dict[str, Any]) -> None:
    build, load = found["build"], found["updates"]
    print(f"\n{found['rows']} rows, {found['pairs']} interleaved rounds, Ansible's start {build['ansible_start_s']} s")
    print(f"{'':18}{'logged by the server':>22}{'task without start':>22}")
    for name in ("psql", "ours", "postgresql_idx"):
        if name in build:
            print(f"{name:18}{build[name]['logged_s']:>20} s{build[name]['task_s']:>20} s")
        else:
            print(f"{name:18}{'not to be had here':>22}")
    print(f"build.ratio_to_psql {build['ratio_to_psql']} (<= 1.05), task {build['task_ratio_to_psql']} (<= 1.1)")
    print(f"noop_50_s {found['noop_50_s']} (<= 2)")
    for name in ("without", "during_builds"):
        one = load[name]
        print(
            f"updates {name}: {one['updates']}, {one['errors']} errors, p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms"
        )


if __name__ == "__main__":
    raise SystemExit(main())
