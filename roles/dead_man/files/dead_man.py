# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead-man: brings stable back when the controller of a rollout is gone and nobody is left to decide.

Runs in the cluster of its region with nothing but Python's standard library. It reads the lease and the record of one
application every few seconds. A lease is expired when it stands there unrenewed for its whole time *as seen here*, so
no clock of another machine counts, and a restart of this program begins to count anew.

=========================  ====================================================================================
phase of the record        what happens when the lease is expired
=========================  ====================================================================================
canary, soaking            the canary gets no traffic any more; rolled_back, reason controller_lost
holding                    nothing before the deadline in the record (also when the lease was given up); then what
                           on_hold says: restore cuts, keep only alerts. A hold of promoting only alerts
promoting                  the traffic stays where it is, for stable may be half of each release; alert
rolling_back               the cut is finished; the next run does the rest
planned to migrated        alert: nothing has moved
promoted, rolled_back      nothing
=========================  ====================================================================================

Before it acts it takes the lease, and with it a fence above all that it finds, so whoever wakes up later is refused.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

FORMAT = 1
FENCE, CUT = "ga.rollout/fence", "ga.rollout/cut"
NOTE, CONTROLLER = "ga.rollout/note", "ga.rollout/controller"
KINDS = {
    "VirtualService": ("networking.istio.io/v1", "virtualservices"),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", "httproutes"),
    "GRPCRoute": ("gateway.networking.k8s.io/v1", "grpcroutes"),
}
USUAL = {"istio": "VirtualService", "gateway_api": "HTTPRoute"}
TRIES = 5
DONE, FAILED, NEWER = "done", "failed", "newer"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Api:
    """The API server, as JSON over HTTPS with a token that is read anew for each call."""

    def __init__(self, server, token_file, ca_file, timeout=5.0):
        self._server, self._token_file, self._timeout = server.rstrip("/"), token_file, timeout
        self._context = ssl.create_default_context(cafile=ca_file)

    def get(self, api, plural, namespace, name):
        """The object, None when there is none."""
        try:
            return self._call("GET", f"{self._path(api, plural, namespace)}/{name}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def patch(self, api, plural, namespace, name, ops):
        """The object after the JSON Patch; None when a test in it was refused, or somebody was quicker."""
        try:
            path = f"{self._path(api, plural, namespace)}/{name}"
            return self._call("PATCH", path, ops, "application/json-patch+json")
        except urllib.error.HTTPError as error:
            if error.code in (409, 422):
                return None
            raise

    def create(self, api, plural, namespace, body):
        return self._call("POST", self._path(api, plural, namespace), body)

    def _path(self, api, plural, namespace):
        return f"/{'apis' if '/' in api else 'api'}/{api}/namespaces/{namespace}/{plural}"

    def _call(self, verb, path, body=None, kind="application/json"):
        with open(self._token_file, encoding="utf-8") as file:
            token = file.read().strip()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Content-Type": kind}
        headers["User-Agent"] = "ga-rollout-dead-man"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._server + path, data, headers, method=verb)
        with urllib.request.urlopen(request, timeout=self._timeout, context=self._context) as answer:
            return json.load(answer)


class DeadMan:
    """Watches one application in one namespace. ``say`` gets one dict per thing worth telling."""

    def __init__(self, api, namespace, app, me, say, clock=time.monotonic, now=time.time, watch=2.0):
        self.api, self.namespace, self.app, self.me, self.say = api, namespace, app, me, say
        self.clock, self.now, self.watch = clock, now, watch
        self.name = f"ga-rollout-{app}"
        self._seen = None  # (holder, renewTime) and when that was first seen here
        self._since = 0.0
        self._looked = None
        self._told = None

    def look(self):
        """One look; acts when it must."""
        lease = self.api.get("coordination.k8s.io/v1", "leases", self.namespace, self.name)
        at = self.clock()
        # Whoever could not look for a while does not know whether it was renewed meanwhile: it counts anew.
        blind = self._looked is None or at - self._looked > 3 * self.watch + 5
        self._looked = at
        if lease is None:
            self._seen = None
            return
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        seen = (holder, spec.get("renewTime"))
        if blind or seen != self._seen:
            self._seen, self._since = seen, at
        waited = at - self._since
        # What this program began and could not end it tries again at once.
        expired = holder == self.me or (bool(holder) and waited >= float(spec.get("leaseDurationSeconds") or 55))
        if holder and not expired:
            return
        self._decide(lease, expired, waited)

    def _decide(self, lease, expired, waited):
        found = self.api.get("v1", "configmaps", self.namespace, self.name)
        record = self._record(found)
        if record is None:
            return
        phase, held = record["phase"], record.get("held") or ""
        if phase == "holding":
            if self.now() < moment_of(record["hold_until"]):
                return
            if record.get("on_hold") == "restore" and held != "promoting":
                self._restore(lease, found, record, waited, "hold_expired")
            else:
                self._alert(lease, record, f"the hold of {held} is over and the weights stay as they are")
        elif not expired:
            return
        elif phase in ("canary", "soaking"):
            self._restore(lease, found, record, waited, "controller_lost")
        elif phase == "rolling_back":
            self._restore(lease, found, record, waited, record.get("reason") or "controller_lost", finish=False)
        elif phase == "promoting":
            self._alert(lease, record, "the controller is gone while stable is replaced; the traffic stays where it is")
        elif phase not in ("promoted", "rolled_back"):
            self._alert(lease, record, f"the controller is gone in phase {phase}; nothing has moved")

    def _record(self, found):
        text = ((found or {}).get("data") or {}).get("record.json")
        if text is None:
            return None
        try:
            record = json.loads(text)
            if record["format"] == FORMAT and isinstance(record["routes"], list) and record["phase"]:
                return record
            problem = f"format {record['format']}, this program knows {FORMAT}"
        except (ValueError, KeyError, TypeError) as error:
            problem = f"not as the collection writes it: {error!r}"
        self._tell_once(("record", text), {"event": "unreadable", "record": self.name, "seen": problem})
        return None

    def _restore(self, lease, found, record, waited, reason, finish=True):
        """Take the lease, cut every route, write it down. Lets go when somebody newer acts."""
        began = self.clock()
        routes = [(target, self._route(target)) for target in record["routes"]]
        fence = 1 + max([record.get("fence") or 0, note(lease, FENCE), *(note(item, FENCE) for _t, item in routes)])
        lease = self._take(lease, fence, f"dead-man: {reason}")
        if lease is None:
            return  # Renewed, released or taken meanwhile.
        taken = self.clock()
        found = self.api.get("v1", "configmaps", self.namespace, self.name)
        before, record = record, self._record(found)
        if record is None or (record["phase"], record.get("fence")) != (before["phase"], before.get("fence")):
            return  # Somebody wrote before the lease was ours: the next look decides anew.
        done = {str(target.get("name")): self._cut(target, record, fence, reason) for target, _item in routes}
        cut = self.clock()
        if NEWER in done.values():
            # A rollback by a person, or a new run: whoever has the newer fence decides from here on.
            self._give_up(lease)
            self._alert(lease, record, "somebody newer acts here; left to them")
            return
        if lost := [name for name, what in done.items() if what != DONE]:
            self._alert(lease, record, f"not cut: {', '.join(lost)}")
            return
        written = self._write(found, record, fence, reason, finish)
        self._give_up(lease)
        self._seen = None
        self.say({
            "event": "restored" if written else "cut_but_not_recorded", "region": record.get("region"),
            "release": record.get("release"), "phase": record["phase"], "reason": reason, "fence": fence,
            "lease_unrenewed_s": round(waited, 1), "lease_s": round(taken - began, 2),
            "cut_s": round(cut - taken, 2), "recorded_s": round(self.clock() - cut, 2), "routes": len(routes),
        })  # fmt: skip
        self._event(record, "Restored", f"stable of {record.get('region')} has all the traffic: {reason}")

    def _take(self, lease, fence, why):
        stamp = micro(self.now())
        spec = {**lease["spec"], "holderIdentity": self.me, "renewTime": stamp, "acquireTime": stamp}
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        notes = {**(lease["metadata"].get("annotations") or {}), FENCE: str(fence), NOTE: why}
        notes.pop(CONTROLLER, None)
        ops = [
            {"op": "add", "path": "/metadata/annotations", "value": notes},
            {"op": "add", "path": "/spec", "value": spec},
        ]
        return self._patch_lease(lease, ops)

    def _give_up(self, lease):
        """The next run need not wait for us."""
        self._patch_lease(lease, [{"op": "add", "path": "/spec/holderIdentity", "value": ""}])

    def _patch_lease(self, lease, ops):
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": lease["metadata"]["resourceVersion"]}
        return self.api.patch("coordination.k8s.io/v1", "leases", self.namespace, self.name, [test, *ops])

    def _route(self, target):
        api, plural = KINDS[target["object"].get("kind") or USUAL[target.get("provider") or "istio"]]
        place = target["object"]
        return self.api.get(api, plural, place["namespace"], place.get("name") or target["name"])

    def _cut(self, target, record, fence, reason):
        """DONE, FAILED or NEWER (somebody with a newer fence). One that fails does not stop the others."""
        try:
            return self._cut_or_raise(target, record, fence, reason)
        except Exception as error:  # whatever it was: the others must still be cut
            self.say({"event": "not_cut", "route": target.get("name"), "seen": f"{type(error).__name__}: {error}"})
            return FAILED

    def _cut_or_raise(self, target, record, fence, reason):
        api, plural = KINDS[target["object"].get("kind") or USUAL[target.get("provider") or "istio"]]
        for _try in range(TRIES):
            found = self._route(target)
            if found is None:
                return DONE  # A route that is gone carries no traffic.
            there = note(found, FENCE)
            if there > fence:
                return NEWER
            cut = {"release": record["release"], "time": stamp(self.now()), "reason": reason}
            ops = cut_ops(found, target, fence, cut)
            meta = found["metadata"]
            if self.api.patch(api, plural, meta["namespace"], meta["name"], ops) is not None:
                return DONE
        return FAILED

    def _write(self, found, record, fence, reason, finish):
        for _try in range(TRIES):
            at = stamp(self.now())
            after = {**record, "fence": fence, "intent": None, "weights": dict.fromkeys(record["weights"], 0)}
            if finish:
                after |= {"phase": "rolled_back", "held": "", "hold_until": "", "reason": reason, "phase_since": at}
            entry = {"at": at, "phase": after["phase"], "act": "cut", "reason": reason, "by": self.me, "fence": fence}
            after["history"] = [*record["history"], entry][-200:]
            version = found["metadata"]["resourceVersion"]
            ops = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/data/record.json", "value": json.dumps(after, sort_keys=True)},
            ]
            if self.api.patch("v1", "configmaps", self.namespace, self.name, ops) is not None:
                return True
            found = self.api.get("v1", "configmaps", self.namespace, self.name)
            record = self._record(found)
            if record is None or (record.get("fence") or 0) > fence or record["phase"] in ("promoted", "rolled_back"):
                return False
        return False

    def _alert(self, lease, record, text):
        key = (record.get("release"), record["phase"], record.get("phase_since"), self._seen, text)
        said = {"event": "alert", "region": record.get("region"), "release": record.get("release")}
        if self._tell_once(key, {**said, "phase": record["phase"], "seen": text}):
            self._event(record, "ControllerLost", text)

    def _tell_once(self, key, said):
        if key == self._told:
            return False
        self._told = key
        self.say(said)
        return True

    def _event(self, record, reason, text):
        """For whoever watches the events of the cluster. Never stops what is done."""
        at = stamp(self.now())
        body = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": f"{self.name}-"}, "type": "Warning",
            "reason": reason, "message": text, "count": 1,
            "firstTimestamp": at[:19] + "Z", "lastTimestamp": at[:19] + "Z",
            "source": {"component": "ga-rollout-dead-man"},
            "involvedObject": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": self.namespace, "name": self.name},
        }  # fmt: skip
        try:
            self.api.create("v1", "events", self.namespace, body)
        except OSError as error:
            self.say({"event": "no_event", "seen": str(error)})


def cut_ops(found, target, fence, cut):
    """The JSON Patch: what was read must still be so; then weight 0, the fence and why."""
    notes = found["metadata"].get("annotations") or {}
    tests = [{"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}]
    if FENCE in notes:
        # The fence says more than the version: status updates of others do not stop a cut.
        tests = [{"op": "test", "path": pointer(FENCE), "value": notes[FENCE]}]
    base, entries = destinations(found, target)
    names = [name_of(entry, found["metadata"]["namespace"]) for entry in entries]
    stable, canary = (position(names, target, which) for which in ("stable", "canary"))
    total = sum(int(entries[at].get("weight") or 0) for at in (stable, canary)) or (100 if len(entries) == 2 else 0)
    writes = [
        {"op": "add", "path": f"{base}/{stable}/weight", "value": total},
        {"op": "add", "path": f"{base}/{canary}/weight", "value": 0},
    ]
    marks = {FENCE: str(fence)}
    if f'"release": {json.dumps(cut["release"])}' not in notes.get(CUT, ""):
        marks[CUT] = json.dumps(cut, sort_keys=True)
    if not notes:
        writes.append({"op": "add", "path": "/metadata/annotations", "value": marks})
    else:
        writes += [{"op": "add", "path": pointer(key), "value": value} for key, value in marks.items()]
    return [*tests, {"op": "test", "path": base, "value": entries}, *writes]


def destinations(found, target):
    """Where the destinations of the route stand, and what stands there."""
    kind = "http" if found["kind"] == "VirtualService" else "rules"
    rules = found["spec"].get(kind) or []
    at = [index for index, rule in enumerate(rules) if rule.get("name") == target["route"]]
    if not at and kind == "rules" and target["route"].isdigit():
        at = [int(target["route"])]
    field = "route" if kind == "http" else "backendRefs"
    return f"/spec/{kind}/{at[0]}/{field}", rules[at[0]].get(field) or []


def name_of(entry, namespace):
    """What a destination may be called: its subset, or its host in short and in full."""
    place = entry.get("destination")
    if place is None:
        return {entry["name"]}
    if place.get("subset"):
        return {place["subset"]}
    host = place["host"]
    return {host, host.partition(".")[0], host if "." in host else f"{host}.{namespace}.svc.cluster.local"}


def position(names, target, which):
    usual = target["name"].partition(" ")[0] + ("" if which == "stable" else "-canary")
    wanted = target.get(which) or usual
    found = [at for at, name in enumerate(names) if wanted in name] or [
        at for at, name in enumerate(names) if not target.get(which) and which in name
    ]
    if len(found) != 1:
        raise ValueError(f"{target['name']}: {len(found)} destinations {wanted}")
    return found[0]


def note(found, key):
    text = (((found or {}).get("metadata") or {}).get("annotations") or {}).get(key, "")
    return int(text) if text.isdigit() else 0


def pointer(annotation):
    return "/metadata/annotations/" + annotation.replace("~", "~0").replace("/", "~1")


def stamp(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def micro(seconds):
    return stamp(seconds)[:-1] + "000Z"


def moment_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def say(told):
    print(json.dumps({"at": stamp(time.time()), **told}), flush=True)


def main():
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = os.environ.get("DEAD_MAN_SERVER") or f"https://{f'[{host}]' if ':' in host else host}:{port}"
    folder = os.environ.get("DEAD_MAN_ACCOUNT", ACCOUNT)
    watch = float(os.environ.get("DEAD_MAN_WATCH", "2"))
    api = Api(server, f"{folder}/token", f"{folder}/ca.crt")
    me = f"dead-man/{os.environ.get('HOSTNAME', 'unknown')}"
    dead_man = DeadMan(api, os.environ["DEAD_MAN_NAMESPACE"], os.environ["DEAD_MAN_APP"], me, say, watch=watch)
    say({"event": "watching", "namespace": dead_man.namespace, "lease": dead_man.name, "every_s": watch})
    while True:
        try:
            dead_man.look()
        except Exception as error:  # whatever it was: the next look may find it gone
            say({"event": "fault", "seen": f"{type(error).__name__}: {error}"})
        time.sleep(watch)


if __name__ == "__main__":
    sys.exit(main())
