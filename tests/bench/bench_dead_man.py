# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the dead-man brings stable back, in many namespaces of the lab at once: build/bench/dead_man.json.

Each namespace has a route at 25 %, a record in phase canary and a lease of 55 s, and the dead-man's own account with
the rules of its role. First every lease is renewed each 15 s, give or take 5, and nothing may happen; then nobody
renews, and stable must have all the traffic within 75 s of the last renewal.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store, Stored
from jinja2 import Environment

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "dead_man"
VIRTUAL_SERVICES = _kube.Kind("networking.istio.io/v1", "virtualservices")
NAMESPACES = _kube.Kind("v1", "namespaces", namespaced=False)
KINDS = {
    "ServiceAccount": _kube.Kind("v1", "serviceaccounts"),
    "Role": _kube.Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": _kube.Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
}
TTL, RENEW, JITTER, PROMISED = 55.0, 15.0, 5.0, 75.0


def program() -> ModuleType:
    """The dead-man itself."""
    spec = importlib.util.spec_from_file_location("dead_man", ROLE / "files" / "dead_man.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(namespace: str, routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of the role, from its own template."""
    environment = Environment()
    environment.filters["to_json"] = json.dumps
    environment.filters["flatten"] = lambda lists: [item for part in lists for item in part]
    environment.filters["hash"] = lambda text, _kind: sha256(text.encode()).hexdigest()
    names = {
        "rollout_app": "tars", "region_namespace": namespace, "rollout_routes": {"all": routes}, "dead_man_image": "x",
        "dead_man_watch": 2, "dead_man_pull_policy": "Never", "lookup": lambda *_words, **_more: "program",
    }  # fmt: skip
    text = environment.from_string((ROLE / "templates" / "dead_man.yml.j2").read_text(encoding="utf-8")).render(names)
    return [item for item in yaml.safe_load_all(text) if item]


def route(name: str, host: str) -> dict[str, Any]:
    entries = [{"destination": {"host": name}, "weight": 75}, {"destination": {"host": f"{name}-canary"}, "weight": 25}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "annotations": {"ga.rollout/fence": "3"}},
        "spec": {"hosts": [host], "gateways": ["istio-system/tars"], "http": [{"name": "primary", "route": entries}]},
    }


@dataclass
class Place:
    """One namespace in mid-rollout, and what the dead-man said there."""

    client: Any
    namespace: str
    folder: Path
    ttl: float = TTL
    said: list[dict[str, Any]] = field(default_factory=list)
    renewed: float = 0.0
    restored: float = 0.0

    def make(self) -> None:
        """Namespace, account, route, record and lease."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.client.create(NAMESPACES, "", body)
        routes = [{"name": "api", "provider": "istio", "object": {"namespace": self.namespace}, "route": "primary"}]
        for item in rendered(self.namespace, routes):
            if item["kind"] in KINDS:
                self.client.create(KINDS[item["kind"]], item["metadata"]["namespace"], item)
        self.client.create(VIRTUAL_SERVICES, self.namespace, route("api", f"api.{self.namespace}.localhost"))
        record = Record(
            "tars", self.namespace, "2", "h", "bench", phase="canary", cohort="all", stage=0, weights={"api": 25},
            fence=3, routes=tuple(routes), phase_since="2026-01-31T12:00:00.000Z",
        )  # fmt: skip
        Store(self.client, self.namespace, "tars").write(record, Stored(None))
        self.lease.take(self.lease.read(), Lease("bench", self.ttl, fence=3))
        self.renewed = time.monotonic()
        self._account()

    def _account(self) -> None:
        """The token and the authority, where the program looks for them."""
        tokens = _kube.Kind("v1", "serviceaccounts/ga-rollout-tars-dead-man/token")
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = self.client.create(tokens, self.namespace, asked)["status"]["token"]
        self.folder.mkdir(parents=True)
        (self.folder / "token").touch(0o600)
        (self.folder / "token").write_text(token)

    @property
    def lease(self) -> LeaseStore:
        return LeaseStore(self.client, self.namespace, "ga-rollout-tars", time.time)

    def renew(self) -> None:
        self.lease.renew(self.lease.read())
        self.renewed = time.monotonic()

    def watch(self, module: ModuleType, server: str, ca: Path, end: threading.Event) -> None:
        """The dead-man's loop, as its ``main`` has it."""
        api = module.Api(server, str(self.folder / "token"), str(ca))
        man = module.DeadMan(api, self.namespace, "tars", "dead-man/bench", self.said.append)
        # Looks of many do not fall into the same moment.
        time.sleep(random.random() * man.watch)
        while not end.is_set():
            try:
                man.look()
            except Exception as error:
                self.said.append({"event": "fault", "seen": f"{type(error).__name__}: {error}"})
            if self.restored == 0 and any(item["event"] == "restored" for item in self.said):
                self.restored = time.monotonic()
            end.wait(man.watch)

    @property
    def weights(self) -> list[int]:
        found = self.client.get(VIRTUAL_SERVICES, self.namespace, "api")
        return [item.get("weight", 0) for item in found["spec"]["http"][0]["route"]]


def server_of(kubeconfig: str, folder: Path) -> tuple[str, Path]:
    cluster = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    ca = folder / "ca.crt"
    ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return cluster["server"], ca


def run(count: int, quiet_s: float, ttl: float, folder: Path, seed: int) -> dict[str, Any]:
    """The whole; the document that is written."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    kubeconfig = os.environ["KUBECONFIG"]
    client = _kube.from_kubeconfig(kubeconfig, "", Scrubber())
    server, ca = server_of(kubeconfig, folder)
    module, end = program(), threading.Event()
    places = [Place(client, f"rec-dead-man-{os.getpid()}-{at}", folder / str(at), ttl) for at in range(count)]
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Place.make, places))
        threads = [threading.Thread(target=item.watch, args=(module, server, ca, end), daemon=True) for item in places]
        for thread in threads:
            thread.start()
        _renew(places, quiet_s, ttl, rng)
        early = sum(entry["event"] != "fault" for item in places for entry in item.said)
        print(
            f"{quiet_s:.0f} s with renewals each {RENEW * ttl / TTL:.1f} s +- {JITTER * ttl / TTL:.1f} s: {early} acts"
        )
        while (
            not all(item.restored for item in places)
            and time.monotonic() < max(p.renewed for p in places) + 2 * PROMISED
        ):
            time.sleep(0.2)
        weights = [item.weights for item in places]
        end.set()
    finally:
        end.set()
        for item in places:
            try:
                client.delete(NAMESPACES, "", item.namespace)
            except RolloutError as error:
                print(f"bench: {item.namespace} is left: {error}", file=sys.stderr)
    return document(places, weights, early, ttl, seed)


def _renew(places: list[Place], quiet_s: float, ttl: float, rng: random.Random) -> None:
    scale = ttl / TTL
    due = {item.namespace: time.monotonic() for item in places}
    end = time.monotonic() + quiet_s
    with ThreadPoolExecutor(8) as pool:
        while time.monotonic() < end:
            ready = [item for item in places if due[item.namespace] <= time.monotonic()]
            list(pool.map(Place.renew, ready))
            for item in ready:
                due[item.namespace] = time.monotonic() + (RENEW + rng.uniform(-JITTER, JITTER)) * scale
            time.sleep(0.2)


def document(places: list[Place], weights: list[list[int]], early: int, ttl: float, seed: int) -> dict[str, Any]:
    """Rows and sums; ``promised_s`` shrinks with the lease."""
    promised = PROMISED - TTL + ttl
    rows = []
    for item, now in zip(places, weights, strict=True):
        told = next((entry for entry in item.said if entry["event"] == "restored"), {})
        after = item.restored - item.renewed if item.restored else None
        rows.append({
            "after_s": round(after, 2) if after else None, "weights": now, "lease_s": ttl,
            "watch_s": round(told.get("lease_unrenewed_s", 0) - ttl, 2), "take_s": told.get("lease_s"),
            "cut_s": told.get("cut_s"), "record_s": told.get("recorded_s"),
            "faults": sum(entry["event"] == "fault" for entry in item.said),
        })  # fmt: skip
    good = [row for row in rows if row["after_s"] and row["after_s"] <= promised and row["weights"] == [100, 0]]
    return {
        "places": len(rows), "in_time": len(good), "early_acts": early, "promised_s": promised, "seed": seed,
        "slowest_s": max((row["after_s"] or float("inf") for row in rows), default=None), "rows": rows,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--places", type=int, default=20)
    parser.add_argument(
        "--quiet", type=float, default=90.0, help="seconds of renewals with jitter before nobody renews"
    )
    parser.add_argument("--ttl", type=float, default=TTL)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    if not os.environ.get("KUBECONFIG"):
        print("bench: the lab is not up, KUBECONFIG is not set (tests/lab/lab env)", file=sys.stderr)
        return 2
    out = ROOT / "build" / "bench"
    found = run(given.places, given.quiet, given.ttl, out / f"dead-man-{os.getpid()}", given.seed)
    (out / "dead_man.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{'after':>7} = {'lease':>6} + {'watch':>6} + {'take':>6} + {'cut':>6} + {'record':>6}   (seconds)")
    for row in found["rows"]:
        parts = [row[name] for name in ("after_s", "lease_s", "watch_s", "take_s", "cut_s", "record_s")]
        print("{:>7} = {:>6} + {:>6} + {:>6} + {:>6} + {:>6}   {}".format(*map(str, parts), row["weights"]))
    print(
        f"{found['in_time']} of {found['places']} within {found['promised_s']:.0f} s of the last renewal, slowest "
        f"{found['slowest_s']} s; {found['early_acts']} acts while somebody renewed (seed {found['seed']})"
    )
    return 0 if found["in_time"] == found["places"] and not found["early_acts"] else 1


if __name__ == "__main__":
    sys.exit(main())
