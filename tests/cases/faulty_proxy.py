# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A loopback proxy before a real Prometheus: answers single polls with faults or warnings, and sets its clock wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.request import ProxyHandler, Request, build_opener

_OPENER = build_opener(ProxyHandler({}))
_TEXTS = {
    "timeout": "query timed out in expression evaluation",
    "execution": "query processing would load too many samples",
}


class FaultyProxy:
    """``faults`` by the time stamp of the poll they hit; ``offset``: seconds that its clock is behind."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.faults: Mapping[float, Mapping[str, Any]] = {}
        self.offset = 0.0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Header and body in one packet, or each answer waits for an acknowledgement.
            wbufsize = 65536

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, content = proxy.answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) - proxy.offset)

            def log_message(self, *_args: object) -> None:
                """Nothing: the tests tell what went wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        fault = self.faults.get(float(form["time"])) if "time" in form else None
        if fault is not None and fault["kind"] == "error":
            error = {
                "status": "error",
                "errorType": fault.get("errorType"),
                "error": _TEXTS.get(str(fault.get("errorType")), "fault"),
            }
            return int(fault.get("http") or 503), json.dumps(error).encode()
        request = Request(f"{self._upstream}{path}", data=body, method="POST")
        with _OPENER.open(request, timeout=30) as response:
            status, content = response.status, response.read()
        if "time" not in form and form.get("query") == "time()":
            answer = json.loads(content)
            at, value = answer["data"]["result"]
            answer["data"]["result"] = [at, str(float(value) - self.offset)]
            return status, json.dumps(answer).encode()
        if fault is not None:
            return status, json.dumps({**json.loads(content), "warnings": [str(fault.get("text"))]}).encode()
        return status, content
