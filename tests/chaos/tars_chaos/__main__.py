# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program behind `make chaos`; see docs/operations.md.

Exit code: 0 when all ended as they deserve, 1 when not, 2 when it could not be tried.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store

from .plan import Trial, draw, two_actors, writes
from .trial import Ended, Runs, play

ROOT = Path(__file__).resolve().parents[3]
OUT = ROOT / "build" / "chaos"
KINDS = (
    _kube.Kind("networking.istio.io/v1", "virtualservices"),
    _kube.Kind("gateway.networking.k8s.io/v1", "httproutes"),
)
DEPLOYMENTS = _kube.Kind("apps/v1", "deployments")
TTL = 10.0
LOAD = {"api": 30.0, "insight": 20.0, "ppo": 20.0}
RELEASES = ("1.0.0-chaos-a", "1.0.0-chaos-b")
BAD = "1.0.0-chaos-bad"
# Of the time of a whole rollout: when a bad release has been found out and is back.
BAD_SHARE = 0.4


class Chaos:
    """One run of it against one region of the lab."""

    def __init__(self, env: dict[str, str], env_file: Path, region: str, lab: Path) -> None:
        self._env, self._region, self._lab = env, region, lab
        self._namespace = f"tars-{region.replace('_', '-')}"
        self._client = _kube.from_kubeconfig(env["KUBECONFIG"], "", Scrubber())
        self._environment = {
            **os.environ, "CHAOS_ENV": str(env_file), "CHAOS_REGION": region, "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
        }  # fmt: skip
        self._runs = Runs(ROOT, self._environment, OUT / "runs.log")
        self._fences: list[tuple[float, str, int]] = []
        # How much sooner than was thought a rollout ends here.
        self._shorter = 1.0
        self._end = threading.Event()

    def prepare(self, bad: bool) -> None:
        """Images (of a bad release where one is drawn), the dead-man, and no release under way."""
        images: list[tuple[str, list[str]]] = [(name, []) for name in RELEASES]
        images += [(BAD, ["--fault", "error_share=0.5"])] if bad else []
        for name, faults in images:
            self._do([str(self._lab), "release", name, *faults], "lab release")
        self._playbook("dead_man.yml")
        record = Store(self._client, self._namespace, "tars").read().record
        if record is not None and not record.final:
            self._playbook("rollback.yml")

    def trials(self, trial: Trial) -> list[Ended]:
        """A trial, and once more where a good run had ended before its kill: by the time that a run really takes.

        A bad release is back long before a good one is through, and cannot be tried a second time.
        """
        share = self._shorter if trial.good else BAD_SHARE
        ended = self.run(replace(trial, after_s=round(trial.after_s * share, 1)))
        if ended.struck or not trial.good:
            return [ended]
        self._shorter *= ended.first_s * 0.9 / ended.trial.after_s
        return [ended, self.run(replace(trial, after_s=round(trial.after_s * self._shorter, 1)))]

    def run(self, trial: Trial) -> Ended:
        """One trial to its end, and its row of the table."""
        stable = self._stable()
        release = BAD if not trial.good else RELEASES[1] if stable == RELEASES[0] else RELEASES[0]
        ended = play(self._runs, trial, release)
        record = Store(self._client, self._namespace, "tars").read().record
        ended.phase = record.phase if record else ""
        wanted = "promoted" if trial.good else "rolled_back"
        ended.as_deserved = ended.phase == wanted and self._whole(release if trial.good else stable)
        print(_row(ended), flush=True)
        return ended

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Fences are watched for as long as the block lasts."""
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._end.set()
            watch.join(5)

    def _whole(self, release: str) -> bool:
        """Stable runs that release, has all the traffic, and the canary is gone."""
        weights = [self._weights(kind) for kind in KINDS]
        gone = not self._client.list(DEPLOYMENTS, self._namespace, labels="ga.rollout/track=canary")
        return self._stable() == release and all(weight == 0 for part in weights for weight in part) and gone

    def _weights(self, kind: _kube.Kind) -> list[int]:
        found = []
        for item in self._client.list(kind, self._namespace):
            rules = item["spec"].get("http") or item["spec"].get("rules") or []
            for rule in rules:
                entries = rule.get("route") or rule.get("backendRefs") or []
                found += [int(entry.get("weight") or 0) for entry in entries[1:] if rule.get("name") == "primary"]
        return found

    def _stable(self) -> str:
        found = self._client.get(DEPLOYMENTS, self._namespace, "api")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    def _watch(self) -> None:
        """Every change of a fence on a route, as often as one can look."""
        before: dict[str, int] = {}
        while not self._end.wait(0.2):
            for kind in KINDS:
                try:
                    items = self._client.list(kind, self._namespace)
                except RolloutError:
                    continue
                for item in items:
                    text = (item["metadata"].get("annotations") or {}).get("ga.rollout/fence", "")
                    name = f"{kind.plural}/{item['metadata']['name']}"
                    if text.isdigit() and before.get(name) != int(text):
                        before[name] = int(text)
                        self._fences.append((time.time(), name, int(text)))

    @property
    def two_actors(self) -> int:
        return two_actors(self._fences)

    def audit(self, since: float) -> dict[str, Any]:
        """What the API server wrote down of the routes: who wrote, how many were refused."""
        path = Path(self._env["LAB_AUDIT_LOG"])
        lines: list[str] = []
        for file in sorted(path.parent.glob("audit*.log")):
            lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
        seen = list(writes(lines, self._namespace, since))
        agents = sorted({item.agent.partition("/")[0].partition(" ")[0] for item in seen if item.code < 300})
        strangers = [agent for agent in agents if agent not in ("tars.rollout", "ga-rollout-dead-man", "helm", "Helm")]
        return {
            "writes": sum(item.code < 300 for item in seen), "refused": sum(item.code >= 300 for item in seen),
            "agents": agents, "strangers": strangers,
        }  # fmt: skip

    def load(self, seed: int) -> subprocess.Popen[str]:
        shares = ",".join(f"{name}={rps:g}" for name, rps in LOAD.items())
        words = ["load", "--until-signal", "--json", "--rps", f"{sum(LOAD.values()):g}", "--services", shares]
        words += ["--regions", self._region, "--out", str(OUT / "load.jsonl"), "--seed", str(seed)]
        with (OUT / "load.log").open("w") as log:
            return subprocess.Popen(
                [str(self._lab), *words], stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def _playbook(self, name: str) -> None:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        self._do([program, f"playbooks/{name}", "-i", "tests/chaos/inventory", "-e", "rollout_release=any"], name)

    def _do(self, command: list[str], what: str) -> None:
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{what} failed: {(done.stdout + done.stderr)[-1500:]}")


def failed_requests(path: Path, spans: list[tuple[float, float]]) -> tuple[int, int]:
    """Requests, and those that failed, within the spans (seconds since 1970)."""
    from tarslab.load.outcome import FAILURES

    count = failed = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if entry["kind"] != "ws" and any(begin <= entry["at"] <= end for begin, end in spans):
                count += 1
                failed += entry["outcome"] in FAILURES
    return count, failed


def _row(ended: Ended) -> str:
    trial = ended.trial
    way, word = " -> ".join(ended.outcomes), "as deserved" if ended.as_deserved else "NOT AS DESERVED"
    return (
        f"{trial.number + 1:>3}  {trial.signal if ended.struck else 'too late':8} {trial.after_s:6.1f} s  "
        f"{'good' if trial.good else 'bad':4}  "
        f"{way:44}  {ended.phase:12} {word:15}  "
        f"{len(ended.orphans)} orphans  {ended.seconds:5.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--region", default="us_west_2")
    parser.add_argument("--longest", type=float, default=110.0, help="seconds that a rollout takes here, undisturbed")
    parser.add_argument("--lab", type=Path, default=ROOT / "tests" / "lab" / "lab", help="the program of the lab")
    parser.add_argument("--env", type=Path, default=ROOT / ".lab" / "env.json", help="where the lab says where it is")
    given = parser.parse_args()
    if not given.env.is_file():
        print("chaos: the lab is not up (make lab-up)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "runs.log").write_bytes(b"")
    chaos = Chaos(json.loads(given.env.read_text(encoding="utf-8")), given.env, given.region, given.lab)
    print(
        f"chaos: {given.kills} kills, seed {given.seed}, region {given.region}; all output in build/chaos", flush=True
    )
    trials = draw(given.kills, given.seed, given.longest, TTL)
    # The gates look back on some seconds of load, which pass while the images are made.
    loaded, load = time.monotonic(), chaos.load(given.seed)
    spans: list[tuple[float, float]] = []
    found: list[Ended] = []
    try:
        try:
            chaos.prepare(bad=not all(trial.good for trial in trials))
        except (RuntimeError, RolloutError) as error:
            print(f"chaos: {error}", file=sys.stderr)
            return 2
        time.sleep(max(0.0, loaded + 15 - time.monotonic()))
        began = time.time()
        with chaos.watching():
            for trial in trials:
                start = time.time()
                found += chaos.trials(trial)
                if trial.good:
                    spans.append((start, time.time()))
    finally:
        load.send_signal(signal.SIGTERM)
        load.communicate(timeout=60)
    return _report(chaos, found, spans, given.seed, began)


def _report(chaos: Chaos, found: list[Ended], spans: list[tuple[float, float]], seed: int, began: float) -> int:
    count, failed = failed_requests(OUT / "load.jsonl", spans)
    audit = chaos.audit(began)
    document = {
        "kills": sum(item.struck for item in found), "runs": len(found),
        "ended_as_deserved": sum(item.as_deserved for item in found), "failed_requests": failed,
        "two_actors": chaos.two_actors + len(audit["strangers"]), "orphans": sum(len(item.orphans) for item in found),
        "requests": count, "seed": seed, "audit": audit, "minutes": round((time.time() - began) / 60, 1),
        "trials": [
            {"signal": item.trial.signal, "struck": item.struck, "after_s": item.trial.after_s,
             "good": item.trial.good, "phase": item.phase, "outcomes": item.outcomes, "as_deserved": item.as_deserved,
             "seconds": round(item.seconds, 1)}
            for item in found
        ],
    }  # fmt: skip
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "chaos.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(
        f"{document['ended_as_deserved']} of {document['runs']} ended as deserved, {document['kills']} were killed; "
        f"{failed} of {count} requests failed while good releases rolled; {document['two_actors']} times two "
        f"actors ({audit['writes']} writes of routes, "
        f"{audit['refused']} refused); {document['orphans']} orphans; seed {seed}"
    )
    good = document["ended_as_deserved"] == document["runs"] and not (
        failed or document["two_actors"] or document["orphans"]
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
