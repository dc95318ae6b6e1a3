# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus on loopback, with a configuration of the test's own and, if wanted, with prepared samples."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from . import programs
from .errors import ServerError
from .process import run
from .server import Server

LOAD_S = 120.0
READY = "Server is ready to receive web requests"


class PrometheusServer(Server):
    """Prometheus with one configuration.

    ``config`` and ``web_config`` are what prometheus.yml and --web.config.file would hold; a relative path in them is
    one in ``folder``. ``samples`` is OpenMetrics text with a time stamp (seconds) on every line and ``# EOF`` as its
    end: it is there when the server is ready. ``flags`` are added to the command line. ``major``: None takes any.
    """

    prefix = "tars-prom-"
    port_taken = "address already in use"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        samples: str = "",
        web_config: Mapping[str, Any] | None = None,
        flags: Sequence[str] = (),
        port: int | None = None,
        major: int | None = None,
        base: Path | None = None,
    ) -> None:
        super().__init__(port, base)
        self.programs = programs.prometheus(major)
        self._config, self._web_config = dict(config or {}), dict(web_config or {})
        self._samples, self._flags = samples, tuple(flags)
        self._started_at = 0

    @property
    def what(self) -> str:
        """What it is, at the beginning of a sentence."""
        at = f" on port {self._port}" if self._port else ""
        return f"The Prometheus {self.programs.version} server{at}"

    @property
    def url(self) -> str:
        """The base address; https when ``web_config`` has a certificate."""
        scheme = "https" if "tls_server_config" in self._web_config else "http"
        return f"{scheme}://{self.host}:{self.port}"

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the vector of an instant query, now or at a Unix time; only for servers without ``web_config``."""
        form = {"query": expression, **({"time": at} if at is not None else {})}
        with requests.Session() as session:
            # A proxy in the environment is not for servers on loopback.
            session.trust_env = False
            answer = session.post(f"{self.url}/api/v1/query", data=form, timeout=10)
        body = answer.json()
        if body["status"] != "success":
            raise ServerError(f"{self.what} answered {answer.status_code} to {expression!r}: {body['error']}.")
        return list(body["data"]["result"])

    def wait_for(self, expression: str, seconds: float = 15.0) -> list[dict[str, Any]]:
        """Return the vector of an instant query as soon as it is not empty, for instance that of ``up == 1``."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.query(expression)
            return bool(found)

        self._wait(there, f"had no result for {expression!r}", seconds)
        return found

    def _create(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        for name, content in (("prometheus.yml", self._config), ("web.yml", self._web_config)):
            (self.folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
        if not self._samples:
            return
        if self.programs.promtool is None:
            raise ServerError(
                f"Samples need promtool, which is not beside {self.programs.server} nor in PATH: install it."
            )
        source = self.folder / "samples.txt"
        source.write_text(self._samples, encoding="utf-8")
        argv: list[str | Path] = [
            self.programs.promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--quiet",
            source,
            data,
        ]
        run("promtool", argv, seconds=LOAD_S, cwd=self.folder)

    def _command(self) -> list[str | Path]:
        # Readiness is read from the log, so the lines of former starts must not count.
        self._started_at = self.log.stat().st_size if self.log.exists() else 0
        return [
            self.programs.server,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            # Prepared samples may be of any age.
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={self.host}:{self.port}",
            f"--web.config.file={self.folder / 'web.yml'}",
            *self._flags,
        ]

    def _answers(self) -> bool:
        with self.log.open("rb") as log:
            log.seek(self._started_at)
            if READY.encode() not in log.read():
                return False
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.host, self.port)) == 0
