# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Prometheus of the cluster's pods and nodes, by files that it watches.

Debian's Prometheus is built without its own discovery in Kubernetes. This one gives the targets the same
`__meta_kubernetes_*` labels, so the rest of the configuration is what it would be at a user's. It runs beside
Prometheus in its pod and needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Item = dict[str, Any]
Target = dict[str, Any]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH_SECONDS = 300
SILENCE_SECONDS = WATCH_SECONDS + 30
CALM_SECONDS = 0.2
"""How long a change may wait for the next one before both are written."""


def label_name(text: str) -> str:
    """Return a Kubernetes label or annotation as Prometheus can spell it."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def pod_targets(pod: Item) -> list[Target]:
    """Return one target for each port that a pod declares, one without a port where it declares none."""
    meta, status = pod["metadata"], pod.get("status", {})
    address = status.get("podIP")
    if not address:
        return []
    common = {
        "__meta_kubernetes_namespace": meta["namespace"],
        "__meta_kubernetes_pod_name": meta["name"],
        "__meta_kubernetes_pod_ip": address,
        "__meta_kubernetes_pod_phase": status.get("phase", ""),
        "__meta_kubernetes_pod_node_name": pod["spec"].get("nodeName", ""),
    }
    common |= {f"__meta_kubernetes_pod_label_{label_name(k)}": v for k, v in (meta.get("labels") or {}).items()}
    common |= {
        f"__meta_kubernetes_pod_annotation_{label_name(k)}": v for k, v in (meta.get("annotations") or {}).items()
    }
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    if not ports:
        return [{"targets": [address], "labels": common}]
    return [
        {
            "targets": [f"{address}:{port['containerPort']}"],
            "labels": common
            | {
                "__meta_kubernetes_pod_container_port_name": port.get("name", ""),
                "__meta_kubernetes_pod_container_port_number": str(port["containerPort"]),
            },
        }
        for port in ports
    ]


def node_targets(node: Item) -> list[Target]:
    """Return the kubelet of a node."""
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    addresses = {entry["type"]: entry["address"] for entry in node["status"]["addresses"]}
    if "InternalIP" not in addresses:
        return []
    labels = {"__meta_kubernetes_node_name": node["metadata"]["name"]}
    return [{"targets": [f"{addresses['InternalIP']}:{port}"], "labels": labels}]


class Api:
    """The API server, as the pod's own account."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self._base = f"https://{host}:{port}/api/v1/"
        self._trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def list(self, kind: str) -> tuple[list[Item], str]:
        """Return all objects of a kind and the version from which to watch."""
        with self._open(kind) as answer:
            found = json.load(answer)
        return found["items"], found["metadata"]["resourceVersion"]

    def watch(self, kind: str, version: str) -> Iterator[tuple[str, Item]]:
        """Yield what happens to the objects of a kind, until the server ends it."""
        with self._open(f"{kind}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}") as answer:
            for line in answer:
                event = json.loads(line)
                yield event["type"], event["object"]

    def _open(self, path: str) -> Any:
        # The token is renewed in place, so it is read each time.
        token = (ACCOUNT / "token").read_text(encoding="utf-8").strip()
        request = urllib.request.Request(self._base + path, headers={"Authorization": f"Bearer {token}"})
        return urllib.request.urlopen(request, timeout=SILENCE_SECONDS, context=self._trust)


class Book:
    """The targets of one kind of object, written to a file whenever they change."""

    def __init__(self, path: Path, describe: Callable[[Item], list[Target]]) -> None:
        self._path = path
        self._describe = describe
        self._known: dict[str, list[Target]] = {}
        self._written = ""

    def replace(self, items: list[Item]) -> None:
        """Take these objects for all that there are."""
        self._known = {item["metadata"]["uid"]: self._describe(item) for item in items}

    def note(self, event: str, item: Item) -> None:
        """Take one change."""
        if event == "DELETED":
            self._known.pop(item["metadata"]["uid"], None)
        elif event in ("ADDED", "MODIFIED"):
            self._known[item["metadata"]["uid"]] = self._describe(item)

    def write(self) -> None:
        """Write the file if it would differ; Prometheus never sees half of it."""
        text = json.dumps([target for uid in sorted(self._known) for target in self._known[uid]])
        if text == self._written:
            return
        part = self._path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self._path)
        self._written = text


def follow(api: Api, kind: str, book: Book) -> None:
    """Keep a book true for ever. What goes wrong is said, and the next list puts it right."""
    lock, changed = threading.Lock(), threading.Event()
    threading.Thread(target=_write_calmly, args=(book, lock, changed), daemon=True).start()
    while True:
        try:
            items, version = api.list(kind)
            with lock:
                book.replace(items)
            changed.set()
            for event, item in api.watch(kind, version):
                if event == "ERROR":
                    break  # the version is too old by now: list again
                with lock:
                    book.note(event, item)
                changed.set()
        except (OSError, ValueError) as error:
            logging.warning("could not follow %s: %s; trying again", kind, error)
            time.sleep(1)


def _write_calmly(book: Book, lock: threading.Lock, changed: threading.Event) -> None:
    while True:
        changed.wait()
        time.sleep(CALM_SECONDS)
        changed.clear()
        with lock:
            book.write()


def main() -> None:
    """Write pods.json and nodes.json into a folder and keep them true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # The first process of a container has no default for SIGTERM: it would be killed after the whole grace period.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    api = Api()
    nodes = Book(folder / "nodes.json", node_targets)
    threading.Thread(target=follow, args=(api, "nodes", nodes), daemon=True).start()
    follow(api, "pods", Book(folder / "pods.json", pod_targets))


if __name__ == "__main__":
    main()
