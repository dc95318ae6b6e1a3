# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""First half of the proof: every gateway has the new routes. It needs no traffic and takes about 0.1 s."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import envoy
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Plan, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.watching import Watching
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

# Seconds between two looks. The control plane itself waits for 0.1 s of silence before it pushes.
INTERVAL = 0.1
# Seconds between two looks at the connections of the gateways, while routes do not arrive.
EVERY = 1.0
# Seconds that a gateway may need to hear of a Service that was made a moment ago.
KNOWN = 2.0
# Seconds for which the control plane may be away before that is told instead of waited for: a restart takes about 3,
# and gateways need up to 2 more to reach it again (measured).
AWAY = 6.0
# Whole numbers become fractions of a percent on the way through other scales.
ROUNDING = 0.01


class RouteProof:
    """``prepare`` before the routes are written, ``wait`` after. Without a config dump the proof is weaker: that each
    gateway took new routes since, by its own count.
    """

    def __init__(self, watching: Watching, clock: Clock) -> None:
        self._watching = watching
        self._clock = clock
        self._before: Mapping[str, int | None] = {}

    def prepare(self, plans: Sequence[Plan]) -> None:
        """Before a rise: TrafficError when a gateway is deaf or does not know the canary. A fall is never stopped."""
        rising = [plan for plan in plans if plan.ops and plan.wanted > (plan.before or 0)]
        if rising:
            self._remember(self._fit_for(rising))
        elif not self._watching.shows_routes:
            with contextlib.suppress(RolloutError):
                self._remember(self._watching.counts(Deadline(self._clock, 0)))

    def wait(self, plans: Sequence[Plan], seconds: float, away_for: float = AWAY) -> Mapping[str, float]:
        """Seconds after which all gateways had the route, by service; TrafficError when one has not in time.

        ``away_for``: seconds without a control plane after which that is told at once.
        """
        deadline = Deadline(self._clock, seconds)
        arrived: dict[str, float] = {}
        away = Away(self._watching)
        while True:
            final = deadline.over
            missing = self._missing([plan for plan in plans if plan.target.service not in arrived], deadline)
            for plan in plans:
                if plan.target.service not in missing:
                    arrived.setdefault(plan.target.service, deadline.elapsed)
            if not missing:
                return arrived
            if gateways := away.look(deadline, final=final, patience=away_for):
                raise _away(deadline.elapsed, plans, missing, gateways)
            if final:
                raise _not_following(seconds, plans, missing)
            self._clock.sleep(min(INTERVAL, deadline.remaining), "waiting for the gateways to take the routes")

    def _fit_for(self, plans: Sequence[Plan]) -> Mapping[str, envoy.Counts]:
        deadline = Deadline(self._clock, KNOWN)
        while True:
            final = deadline.over
            counts = self._watching.counts(deadline)
            fault = _deaf(counts) or _unknown(counts, plans)
            if fault is None:
                return counts
            if final or fault.reason == "gateway_disconnected":
                raise fault
            self._clock.sleep(INTERVAL, "waiting for the gateways to hear of the canary")

    def _remember(self, counts: Mapping[str, envoy.Counts]) -> None:
        self._before = {name: count.reloads for name, count in counts.items()}

    def _missing(self, plans: Sequence[Plan], deadline: Deadline) -> Mapping[str, Sequence[str]]:
        """What the gateways have instead, by service; only those that are not as wanted."""
        if not self._watching.shows_routes:
            return self._not_reloaded([plan for plan in plans if plan.ops], deadline)
        dumps = self._watching.dumps(deadline)
        missing = {}
        for plan in plans:
            seen = {name: envoy.shares(dump, plan.target, plan.split) for name, dump in dumps.items()}
            wrong = [f"{name}: {_list(shares)}" for name, shares in seen.items() if not _all_say(shares, plan.wanted)]
            if wrong:
                missing[plan.target.service] = wrong
        return missing

    def _not_reloaded(self, plans: Sequence[Plan], deadline: Deadline) -> Mapping[str, Sequence[str]]:
        if not plans:
            return {}
        now = {name: count.reloads for name, count in self._watching.counts(deadline).items()}
        if not self._before or None in now.values():
            raise TrafficError(
                "The gateways show neither their routes nor how often they took new ones, so nothing can be proven",
                reason="not_provable",
                hint="The weights are written. Let gateways.dump name a config dump, or let the statistics include "
                "rds.config_reload",
            )
        # A gateway that started anew began with the newest routes; its count began again as well.
        old = [name for name, count in now.items() if name in self._before and count == self._before[name]]
        wrong = [f"{name}: no new route" for name in old]
        return {plan.target.service: wrong for plan in plans} if wrong else {}


class Away:
    """Whether it is the control plane that is missing: what is written acts as soon as gateways hear of it again."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._next = EVERY
        self._since: float | None = None

    def look(self, deadline: Deadline, *, final: bool, patience: float) -> Sequence[str]:
        """The gateways that have had no connection for so long, or have none at the end; looks once a second."""
        if deadline.elapsed < self._next and not final:
            return []
        self._next = deadline.elapsed + EVERY
        try:
            deaf = [name for name, count in self._watching.counts(deadline).items() if count.connected is False]
        except RolloutError:
            # Routes are what is proven here; without the counters there is only less to say.
            return []
        self._since = (deadline.elapsed if self._since is None else self._since) if deaf else None
        lasting = self._since is not None and deadline.elapsed - self._since >= patience
        return deaf if lasting or final else []


def _away(
    elapsed: float, plans: Sequence[Plan], missing: Mapping[str, Sequence[str]], gateways: Sequence[str]
) -> TrafficError:
    first = next(plan for plan in plans if plan.target.service in missing)
    return TrafficError(
        f"{first.target} was set to {first.wanted} % and the gateways {', '.join(gateways)} have no connection to the "
        f"mesh's control plane after {elapsed:.0f} s, so they go on as before ({len(missing)} of {len(plans)} routes)",
        reason="control_plane_away",
        hint="The weight stays written and acts when the gateways are connected again: bring the control plane back, "
        "restart no gateway, and take no canary away",
        details={"service": first.target.service, "gateways": list(gateways),
                 "missing": {key: list(value) for key, value in missing.items()}},
    )  # fmt: skip


def _deaf(counts: Mapping[str, envoy.Counts]) -> TrafficError | None:
    deaf = [name for name, count in counts.items() if count.connected is False]
    if not deaf:
        return None
    many = len(deaf) > 1
    return TrafficError(
        f"The gateway{'s' if many else ''} {', '.join(deaf)} {'have' if many else 'has'} no connection to the mesh's "
        "control plane, so nothing was changed",
        reason="gateway_disconnected",
        hint="Bring the control plane back and wait until the gateways are connected again",
        details={"gateways": deaf},
    )


def _unknown(counts: Mapping[str, envoy.Counts], plans: Sequence[Plan]) -> TrafficError | None:
    """A gateway that counts stable and not the canary has no such destination: all its requests would fail."""
    for plan in plans:
        canary, stable = plan.split.canary.upstream, plan.split.stable.upstream
        lost = [name for name, count in counts.items() if count.of(canary) is None and count.of(stable) is not None]
        if lost:
            what = f"the subset {canary.subset} of {canary.host}" if canary.subset else f"the Service {canary.host}"
            port = f" port {canary.port}" if canary.port else ""
            return TrafficError(
                f"{plan.target} would send requests to {what}{port}, which the gateways {', '.join(lost)} do not know, "
                "so nothing was changed",
                reason="backend_unknown",
                hint="Make the Service, or the DestinationRule with this subset, before it gets traffic",
                details={"service": plan.target.service, "gateways": lost},
            )
    return None


def _all_say(shares: Sequence[float], wanted: int) -> bool:
    return bool(shares) and all(abs(share - wanted) < ROUNDING for share in shares)


def _list(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:g} %" for share in sorted(set(shares))) or "no such route"


def _not_following(seconds: float, plans: Sequence[Plan], missing: Mapping[str, Sequence[str]]) -> TrafficError:
    first = next(plan for plan in plans if plan.target.service in missing)
    seen = missing[first.target.service]
    return TrafficError(
        f"{first.target} was set to {first.wanted} % and {seconds:g} s later the gateways still have something else: "
        f"{'; '.join(seen)} ({len(missing)} of {len(plans)} routes)",
        reason="gateway_not_following",
        hint="The weight stays written and acts when the gateway takes it: look at the control plane and the gateway",
        details={"service": first.target.service, "missing": {key: list(value) for key, value in missing.items()}},
    )
