# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a Kubernetes API as records and Jobs need."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml


def _resource(name: str, kind: str) -> dict[str, Any]:
    verbs = ["get", "create", "patch"]
    return {"name": f"{name}s", "singularName": name, "namespaced": True, "kind": kind, "verbs": verbs}


BATCH = {"groupVersion": "batch/v1", "version": "v1"}
DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": "batch", "versions": [BATCH], "preferredVersion": BATCH}],
    },
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_resource("configmap", "ConfigMap")]},
    "/apis/batch/v1": {"kind": "APIResourceList", "groupVersion": "batch/v1", "resources": [_resource("job", "Job")]},
}


class Kube:
    """``objects`` by path; what is created gets ``status``."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self.kubeconfig = folder / "kubeconfig"

    def serve(self, port: int) -> None:
        """Write where it is."""
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        config |= {"users": [{"name": "u", "user": {"token": "t"}}], "current-context": "c"}
        self.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        made = {**body, "status": self.status}
        self.objects[f"{path}/{body['metadata']['name']}"] = made
        return made


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Kube]:
    made = Kube(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            self.answer(DISCOVERY.get(path) or made.objects.get(path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(made.create(self.path.split("?")[0], body))

        def answer(self, body: Any) -> None:
            data = json.dumps(body or {"kind": "Status", "code": 404, "reason": "NotFound"}).encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.serve(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
