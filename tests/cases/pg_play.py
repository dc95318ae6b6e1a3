# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays one case: fixture, sessions, the call through ``ansible``, the fault meanwhile, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .pg_expect import mismatches
from .pg_servers import DATABASE, Servers

ROOT = Path(__file__).parents[2]
CALLBACKS = Path(__file__).parent / "callback_plugins"
MODULE = "pg_index_concurrently"
CALL_KEYS = {
    *("name", "schema", "table", "columns", "unique", "method", "where", "storage_params", "state"),
    *("on_invalid", "on_drift", "sweep_leftovers", "wait_for_blockers", "timeout", "retries"),
    *("verify_replicas", "replica_timeout", "max_replication_lag", "explain", "free_space"),
}
HARNESS_KEYS = {"_check", "_deadline", "_parallel", "_via"}
FAULT_KEYS = {"after_s", "session", "sql", "when_phase", "admin_sql", "admin_sql_background", "signal"}
FAULT_KEYS |= {"before_call_background", "wait_phase"}
# Seconds: a call without a deadline of its own, Ansible's start and end on a busy machine, a phase a fault waits for.
DEADLINE, START_UP, PHASE = 120.0, 180.0, 120.0


_IDLE = """SELECT %s WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity
    WHERE application_name LIKE 'tars.rollout%%' AND state <> 'idle')"""


class Run:
    """One call of the module in an ``ansible`` process of its own."""

    def __init__(self, arguments: Mapping[str, Any], password: str, check: bool) -> None:
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-i", "localhost,"]
        command += ["-m", f"tars.rollout.{MODULE}", "-a", json.dumps(arguments), *(["--check"] if check else [])]
        settings = {
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_STDOUT_CALLBACK": "case_result",
            "ANSIBLE_PIPELINING": "0",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "PGPASSWORD": password,
        }
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def result(self, seconds: float, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; raises AssertionError when there is none in time, or at all without ``otherwise``."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, err = self.process.communicate()
            raise AssertionError(f"still running after {seconds:g} s; it showed:\n{out}{err}") from None
        try:
            result: dict[str, Any] = json.loads(out)
        except ValueError:
            if otherwise is not None:
                return otherwise
            raise AssertionError(f"no result; it showed:\n{out}{err}") from None
        return result

    def module_pid(self) -> int:
        """The process of the module itself, below Ansible's worker: a fork of it by that name, or an interpreter."""
        below = {self.process.pid}
        for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                name = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if parent in below:
                below.add(int(entry.name))
                if name == MODULE[:15] or (len(words) > 1 and words[1].endswith(f"AnsiballZ_{MODULE}.py")):
                    return int(entry.name)
        raise AssertionError("the module's process was not found")


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


class Play:
    """The state of one case while it is played."""

    def __init__(self, case: Mapping[str, Any], fixtures: Mapping[str, list[str]], servers: Servers) -> None:
        self.case, self.fixtures, self.servers = case, fixtures, servers
        self.sessions: dict[str, psycopg.Connection[Any]] = {}
        self.threads: list[threading.Thread] = []
        self.problems: list[str] = []
        self.runs: list[Run] = []
        self.over = threading.Event()

    def play(self) -> list[str]:
        """Everything in order; what was not as expected, as sentences."""
        self._known()
        self.servers.clean()
        self.admin = self.servers.admin()
        try:
            self._prepare()
            return [*self._call(), *self._rows("after"), *self.problems]
        finally:
            self.over.set()
            for connection in (*self.sessions.values(), self.admin):
                connection.close()

    def _known(self) -> None:
        unknown = set(self.case["call"]) - CALL_KEYS - HARNESS_KEYS
        unknown |= set(self.case.get("fault") or {}) - FAULT_KEYS
        assert not unknown, f"the harness does not know {', '.join(sorted(unknown))}"

    def _prepare(self) -> None:
        setup = self.case.get("setup") or []
        for name in [setup] if isinstance(setup, str) else setup:
            assert name in self.fixtures, f"the file has no fixture {name}"
            for statement in self.fixtures[name]:
                self.admin.execute(statement.encode())
        steps = self.case.get("steps") or []
        needs = [step.get("server") for step in steps]
        standby = "standby" in needs or self.case.get("connect_to") == "standby"
        if standby or "verify_replicas" in self.case["call"] or "max_replication_lag" in self.case["call"]:
            self.servers.standby.wait_replayed(self.servers.primary.lsn())
        for step in steps:
            self._step(step)
        if (login := self.case.get("login_user", "postgres")) != "postgres":
            password = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(login), sql.Literal(self.servers.primary.password)
            )
            self.admin.execute(password)
        if standby and "standby" not in needs:
            self.servers.standby.wait_replayed(self.servers.primary.lsn())
        if problems := self._rows("precondition"):
            raise AssertionError(f"the case is not set up: {'; '.join(problems)}")

    def _step(self, step: Mapping[str, Any]) -> None:
        connection = self._session(step["session"], step.get("server"), step.get("database", DATABASE))
        wanted = step.get("expect_sqlstate")
        try:
            connection.execute(step["sql"].encode())
        except psycopg.Error as error:
            assert error.sqlstate == wanted, f"step {step['sql']!r}: {error}"
        else:
            assert wanted is None, f"step {step['sql']!r} did not fail with {wanted}"

    def _session(self, name: str, server: str | None = None, database: str = DATABASE) -> psycopg.Connection[Any]:
        if name not in self.sessions:
            target = self.servers.standby if server == "standby" else self.servers.primary
            self.sessions[name] = target.connect(
                dbname=database, application_name=f"case session {name}", connect_timeout=60
            )
        return self.sessions[name]

    def _rows(self, what: str) -> list[str]:
        problems = []
        for query in self.case.get(what) or []:
            seen = self.admin.execute(query["sql"].encode()).fetchall()
            # Numbers and times as JSON has them.
            rows = json.loads(json.dumps([list(row) for row in seen], default=_plain))
            if rows != query["rows"]:
                problems.append(f"{what}: {query['sql']} gave {rows}, expected {query['rows']}")
        return problems

    # The call

    def _call(self) -> list[str]:
        call, expect = self.case["call"], self.case["expect"]
        fault = self.case.get("fault") or {}
        if "before_call_background" in fault:
            self._start(lambda: self._alone(fault["before_call_background"]))
            self._phase(fault["wait_phase"])
        gap: list[bool] = []
        if "gap_without_valid_index" in expect:
            self._start(lambda: self._watch(call, gap))
        arguments, check = self._arguments(), bool(call.get("_check"))
        for _copy in range(call.get("_parallel", 1)):
            self.runs.append(Run(arguments, self.servers.primary.password, check))
        seen_at = [0.0]
        self._start(lambda: self._first_sight(seen_at))
        if set(fault) & {"after_s", "when_phase"}:
            self._start(lambda: self._fault(fault, seen_at))
        limit = call.get("_deadline", DEADLINE) + START_UP
        # A module that was ended may have no answer; it has failed all the same.
        ended = {"failed": True} if "signal" in fault else None
        results = [run.result(limit, ended) for run in self.runs]
        if "signal" in fault:
            self._join()
            # Whatever a killed client leaves to the server is over before anybody looks.
            self._until(_IDLE, "the end of the build", 10.0)
        took = time.monotonic() - (seen_at[0] or self.runs[0].began)
        self.over.set()
        self._join()
        return self._judge(results, took, gap)

    def _judge(self, results: list[dict[str, Any]], took: float, gap: list[bool]) -> list[str]:
        expect = self.case["expect"]
        tolerant = "process_exits_within_s" in expect and "failed" not in expect
        problems = []
        tolerant = tolerant or "all_ok" in expect
        for result in results:
            problems += mismatches(expect, {**result, "failed": False} if tolerant else result)
        measured: dict[str, bool] = {
            "within_s": took <= float(expect.get("within_s", took)),
            "gap_without_valid_index": any(gap) == expect.get("gap_without_valid_index"),
            "all_ok": any(one.get("failed") for one in results) != expect.get("all_ok"),
            "changed_count": sum(bool(one.get("changed")) for one in results) == expect.get("changed_count"),
        }
        problems += [
            f"{key} is not {expect[key]}, after {took:.1f} s"
            for key, good in measured.items()
            if key in expect and not good
        ]
        return [*problems, *([f"result: {json.dumps(results)}"] if problems else [])]

    def _arguments(self) -> dict[str, Any]:
        call = {key: value for key, value in self.case["call"].items() if key in CALL_KEYS}
        target: Any = self.servers.primary
        if self.case.get("connect_to") == "standby":
            target = self.servers.standby
        if (via := self.case["call"].get("_via")) is not None:
            assert via == "pgbouncer", f"the harness has no pooler {via}"
            target = self.servers.pgbouncer
        if "verify_replicas" in call:
            standby = self.servers.standby
            call["verify_replicas"] = [
                {"name": name, "host": standby.host, "port": standby.port} for name in call["verify_replicas"]
            ]
        user = self.case.get("login_user", "postgres")
        return {**call, "login_host": target.host, "login_port": target.port, "login_user": user, "login_db": DATABASE}

    # Beside the call

    def _start(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except (AssertionError, psycopg.Error) as error:
                if not self.over.is_set():
                    self.problems.append(f"the fault could not be played: {error}")

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _join(self) -> None:
        for thread in self.threads:
            thread.join(30)

    def _alone(self, statement: str) -> None:
        with self.servers.admin() as connection:
            connection.execute(statement.encode())

    def _until(self, query: str, argument: str, seconds: float) -> None:
        limit = time.monotonic() + seconds
        with self.servers.admin() as connection:
            while not connection.execute(query.encode(), [argument]).fetchone():
                if self.over.is_set():
                    return
                assert time.monotonic() < limit, f"{argument} was not seen in {seconds:g} s"
                time.sleep(0.005)

    def _phase(self, phase: str) -> None:
        # Of a table that others see: the module compares definitions by an index on a table of its own, for a blink.
        query = "SELECT 1 FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.relid WHERE p.phase LIKE %s"
        self._until(query, phase, PHASE)

    def _first_sight(self, seen_at: list[float]) -> None:
        """When the module came to the server: Ansible's own start is not the module's time."""
        query = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE %s"
        self._until(query, "tars.rollout%", START_UP)
        seen_at[0] = time.monotonic()

    def _watch(self, call: Mapping[str, Any], gap: list[bool]) -> None:
        query = b"""SELECT bool_or(i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s AND coalesce(n.nspname = %s, true)"""
        with self.servers.admin() as connection:
            while not self.over.is_set():
                row = connection.execute(query, [call["name"], call.get("schema")]).fetchone()
                gap.append(row != (True,))
                time.sleep(0.002)

    def _fault(self, fault: Mapping[str, Any], seen_at: list[float]) -> None:
        if "when_phase" in fault:
            self._phase(fault["when_phase"])
        else:
            while not seen_at[0] and not self.over.wait(0.01):
                pass
            self.over.wait(fault["after_s"])
        if "signal" in fault:
            self._signal(getattr(signal, fault["signal"]))
        if "admin_sql" in fault:
            for statement in [fault["admin_sql"]] if isinstance(fault["admin_sql"], str) else fault["admin_sql"]:
                self._alone(statement)
        if "admin_sql_background" in fault:
            self._start(lambda: self._alone(fault["admin_sql_background"]))
        if "sql" in fault:
            statements = [fault["sql"]] if isinstance(fault["sql"], str) else fault["sql"]
            for statement in statements:
                self._session(fault.get("session", "fault")).execute(statement.encode())

    def _signal(self, number: signal.Signals) -> None:
        pid = self.runs[0].module_pid()
        os.kill(pid, number)
        limit = self.case["expect"].get("process_exits_within_s", 5)
        began = time.monotonic()
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() - began > limit:
                self.problems.append(f"the module had not ended {limit} s after {number.name}")
                return
            time.sleep(0.02)
