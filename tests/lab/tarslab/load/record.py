# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a run: one JSON line per request and per WebSocket connection, in the order in which they ended.

Keys of a request: `at` (when it was due, in seconds since 1970), `t` (the same since the start), `service`, `region`,
`kind` (kept, new), `outcome`, `version`, `status`, `latency_ms` (from the moment it left), `lag_ms` (how late it left;
the sum of both is what a user felt), and `detail` where there is one. A WebSocket (kind ws): `at` and `t` are when it
was opened, `latency_ms` the handshake; besides `open_s` and `lines`.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tarslab.load.outcome import Result
from tarslab.load.plan import Draw, PlanError


class Record:
    """Writes the lines. Without a path it takes them and does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._start = 0.0

    def __enter__(self) -> Record:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise PlanError(
                    f"cannot write {self._path}: {error.strerror}; choose another file with --out"
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def begin(self, moment: float) -> None:
        """Say when the run starts, in seconds since 1970."""
        self._start = moment

    def add(self, t: float, draw: Draw, result: Result, took: float, **more: Any) -> None:
        """Write one line; `t` and `took` in seconds."""
        if self._file is None:
            return
        line = {
            "at": round(self._start + t, 3),
            "t": round(t, 4),
            "service": draw.service,
            "region": draw.region,
            "kind": draw.kind,
            "outcome": result.outcome,
            "version": result.version,
            "status": result.status,
            "latency_ms": round(took * 1000, 2),
            **more,
        }
        if result.detail:
            line["detail"] = result.detail
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hand everything over to the system, so that somebody who reads along sees whole lines."""
        if self._file is not None:
            self._file.flush()
