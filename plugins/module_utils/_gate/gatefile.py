# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import stages, units
from ansible_collections.tars.rollout.plugins.module_utils._gate.checked import (
    LABEL,
    GateFileError,
    mapping,
    matchers,
    only,
    typed,
)
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import HOLD, ROLLBACK, Matchers, Slo, Spec

KINDS = ("ratio", "latency", "gauge", "count", "expr")
SERVER_ERRORS = {"status": "5.."}
_TOP = {"gate", "service", "prometheus", "arms", "expect_pods", "defaults", "slos", "stages"}
_DEFAULTS = {*stages.TIMES, "on_inconclusive", "strata"}
_COMMON = {"limit", "match", "arm"}
KEYS = {
    "ratio": {*_COMMON, "bad", "violation", "max_drift", "on_limit", "on_drift"},
    "latency": {*_COMMON, "quantile", "unit", "violation", "max_drift", "on_limit", "on_drift"},
    "gauge": {*_COMMON, "for"},
    "count": _COMMON,
    "expr": {"limit", "for"},
}
# Every scrape is kept and looked at: five days of 15 s.
MOST_SCRAPES = 30_000
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def parse(data: Mapping[str, Any], stage: Mapping[str, Any] | None = None) -> Spec:
    """The gate of one service as judged in one stage.

    ``stage`` may set ``limits`` by objective, ``max_drift`` for all of them, and any key of ``defaults``; what it says
    wins over the entry of ``stages`` with the same weight, and that over the rest. Raises GateFileError.
    """
    service = str(data.get("service", "") or "")
    here = f"service {service}" if service else "the gate"
    only(data, _TOP, here)
    if data.get("gate", "v1") != "v1":
        raise GateFileError(f"{here}: gate", f"version {data['gate']!r} is not known", "Write gate: v1")
    rest = {key: value for key, value in data.items() if key != "stages"}
    stage = stages.chosen(here, data.get("stages"), stage or {}, lambda entry: parse(rest, entry))
    settings = _settings(here, data, stage)
    arms = _arms(here, data.get("arms"))
    limits = mapping(f"{here}: stage limits", stage.get("limits"))
    slos = mapping(f"{here}: slos", data.get("slos"))
    if not slos:
        raise GateFileError(here, "it has no objective under slos", "A gate without one would pass everything")
    if doubled := {name for name in slos if not isinstance(name, str) and str(name) in slos}:
        raise GateFileError(f"{here}: slos", f"{doubled.pop()!r} is there as a number and as a text", "One name each")
    for name in limits:
        if name not in slos:
            raise GateFileError(
                f"{here}: stage limits", f"there is no objective named {name}", f"Known: {', '.join(slos)}"
            )
    parsed = tuple(_slo(f"{here}: {name}", str(name), value, limits.get(name), stage) for name, value in slos.items())
    for slo in parsed:
        if slo.arm not in (*arms, "any"):
            raise GateFileError(f"{here}: {slo.name}: arm", f"there is no arm {slo.arm!r}", "Use canary, stable or any")
    pods = _pods(here, data.get("expect_pods"), arms)
    strata = _strata(here, stage.get("strata") or (data.get("defaults") or {}).get("strata"), parsed)
    return Spec(parsed, arms, service=service, expect_pods=pods, strata=strata, **settings)


def _strata(here: str, value: Any, slos: tuple[Slo, ...]) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not LABEL.fullmatch(value):
        raise GateFileError(f"{here}: strata", f"{value!r} is no name of a label", "Such as strata: route")
    if any(value in slo.bad for slo in slos):
        raise GateFileError(f"{here}: strata", f"{value} tells bad requests from good ones", "Take another label")
    return value


def _settings(here: str, data: Mapping[str, Any], stage: Mapping[str, Any]) -> dict[str, Any]:
    defaults = dict(mapping(f"{here}: defaults", data.get("defaults")))
    only(defaults, _DEFAULTS, f"{here}: defaults")
    if defaults.get("on_inconclusive", HOLD) != HOLD:
        raise GateFileError(
            f"{here}: defaults.on_inconclusive", "only hold is possible", "An open question is no verdict"
        )
    defaults |= {key: value for key, value in stage.items() if key in _DEFAULTS and value is not None}

    def value(key: str, read: Callable[[Any], float], otherwise: float) -> float:
        return typed(f"{here}: {key}", read, defaults[key]) if defaults.get(key) is not None else otherwise

    bake = value("bake", units.seconds, 600.0)
    early = value("early_pass", units.seconds, -1.0)
    found = {
        "bake_s": bake,
        "settle_s": value("settle", units.seconds, 0.0),
        "max_bake_s": value("max_bake", units.seconds, bake),
        "scrape_s": value("scrape", units.seconds, 15.0),
        "alpha": value("alpha", units.percent, 0.01),
        "beta": value("beta", units.percent, 0.05),
    }
    for key in ("alpha", "beta"):
        if not 0 < found[key] < 0.5:
            raise GateFileError(
                f"{here}: {key}", f"{100 * found[key]:g} % is not between 0 and 50 %", "1% and 5% are usual"
            )
    if found["scrape_s"] <= 0 or found["settle_s"] < 0 or found["bake_s"] - found["settle_s"] < found["scrape_s"]:
        raise GateFileError(
            f"{here}: bake",
            "bake minus settle is shorter than one scrape",
            "Give a longer bake or the true scrape interval",
        )
    if found["max_bake_s"] / found["scrape_s"] > MOST_SCRAPES:
        scrapes = found["max_bake_s"] / found["scrape_s"]
        raise GateFileError(
            f"{here}: bake",
            f"it has {scrapes:,.0f} scrapes of {found['scrape_s']:g} s, more than can be judged",
            f"Judge at most {MOST_SCRAPES:,} scrapes in one call",
        )
    if found["max_bake_s"] < bake:
        raise GateFileError(f"{here}: max_bake", "it is shorter than bake", "Leave it out, or make it longer")
    if defaults.get("early_pass") is not None and early < 0:
        raise GateFileError(f"{here}: early_pass", f"{defaults['early_pass']!r} is negative")
    return {**found, "early_s": early if defaults.get("early_pass") is not None else None}


def _slo(where: str, name: str, raw: Any, limit: Any, stage: Mapping[str, Any]) -> Slo:
    data = dict(mapping(where, raw))
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) != 1:
        seen = f"it has {' and '.join(kinds)}" if kinds else f"it has only {', '.join(map(str, data)) or 'nothing'}"
        raise GateFileError(where, seen, f"Give exactly one of {', '.join(KINDS)}")
    kind = kinds[0]
    only(data, {kind, *KEYS[kind]}, where)
    if limit is not None:
        data["limit"] = limit
    if data.get("limit") is None:
        raise GateFileError(where, "it has no limit")
    for_s = typed(f"{where}: for", units.seconds, data.get("for", "0s"))
    if for_s < 0:
        raise GateFileError(f"{where}: for", f"{data['for']!r} is negative", "Leave it out for: at once")
    if kind == "expr":
        if not isinstance(data["expr"], str) or not data["expr"].strip():
            raise GateFileError(f"{where}: expr", f"{data['expr']!r} is no query", "Write a query in PromQL")
        return Slo(
            name,
            "gauge",
            typed(f"{where}: limit", units.number, data["limit"]),
            for_s=for_s,
            arm="any",
            expr=data["expr"],
        )
    metric = str(data[kind])
    if not _METRIC.fullmatch(metric):
        raise GateFileError(f"{where}: {kind}", f"{metric!r} is no name of a metric", "Labels go into match")
    match = matchers(f"{where}: match", data.get("match"))
    if kind == "latency" and metric.endswith("_bucket"):
        plain = metric.removesuffix("_bucket")
        raise GateFileError(f"{where}: latency", f"{metric} names the buckets", f"Name the histogram, {plain}")
    if kind == "latency" and "le" in match:
        seen = "the boundaries of buckets are chosen by limit and violation"
        raise GateFileError(f"{where}: match.le", seen, f"Leave le out of match; write it as the limit of {metric}")
    arm = str(data.get("arm", "canary"))
    if kind in ("gauge", "count"):
        value = typed(f"{where}: limit", units.number, data["limit"])
        if kind == "count" and value < 0:
            raise GateFileError(f"{where}: limit", f"{data['limit']!r} is negative", "0 allows none at all")
        return Slo(name, kind, value, metric, match, for_s=for_s, arm=arm)
    if arm != "canary":
        raise GateFileError(f"{where}: arm", f"a {kind} is always that of the canary", "Swap the arms instead")
    return _share(where, name, kind, metric, match, data, stage)


def _share(
    where: str, name: str, kind: str, metric: str, match: Matchers, data: Mapping[str, Any], stage: Mapping[str, Any]
) -> Slo:
    per_second = _per_second(where, metric, data.get("unit")) if kind == "latency" else 1.0

    def read(value: Any) -> float:
        return units.percent(value) if kind == "ratio" else units.seconds(value) * per_second

    limit = typed(f"{where}: limit", read, data["limit"])
    violation = None if data.get("violation") is None else typed(f"{where}: violation", read, data["violation"])
    if limit <= 0 or (kind == "ratio" and limit >= 1):
        raise GateFileError(
            f"{where}: limit", f"{data['limit']!r} leaves nothing to prove", "For 'none at all' use a count"
        )
    if violation is not None and violation < limit:
        raise GateFileError(
            f"{where}: violation",
            f"{data['violation']} is below the limit {data['limit']}",
            "The violation is what a pass must exclude, so it is the larger one",
        )
    if kind == "ratio" and violation is not None and violation >= 1:
        raise GateFileError(f"{where}: violation", f"{data['violation']!r} is everything", "Give a share below 100%")
    bad = matchers(f"{where}: bad", data.get("bad")) if kind == "ratio" else {}
    return Slo(
        name,
        kind,
        limit,
        metric,
        match,
        bad=bad or (SERVER_ERRORS if kind == "ratio" else {}),
        quantile=typed(f"{where}: quantile", units.quantile, data.get("quantile", "p95")),
        violation=violation,
        max_drift=_drift(where, data.get("max_drift") if stage.get("max_drift") is None else stage["max_drift"]),
        on_limit=_policy(f"{where}: on_limit", data.get("on_limit", ROLLBACK)),
        on_drift=_policy(f"{where}: on_drift", data.get("on_drift", ROLLBACK)),
        per_second=per_second,
    )


def _per_second(where: str, metric: str, unit: Any) -> float:
    if unit is None:
        return units.per_second(metric)
    if unit not in ("s", "ms"):
        raise GateFileError(f"{where}: unit", f"{unit!r} is not known", "The unit of the buckets: s or ms")
    return 1000.0 if unit == "ms" else 1.0


def _drift(where: str, value: Any) -> float | None:
    if value is None or str(value).lower() == "none":
        return None
    drift = typed(f"{where}: max_drift", units.percent, value)
    if drift < 0:
        raise GateFileError(f"{where}: max_drift", f"{value!r} is negative", "0% means no worse than stable")
    return drift


def _policy(where: str, value: Any) -> str:
    if value not in (ROLLBACK, HOLD):
        raise GateFileError(where, f"{value!r} is not known", "Use rollback or hold")
    return str(value)


def _arms(here: str, raw: Any) -> dict[str, Matchers]:
    arms: dict[str, Matchers] = {
        str(arm): matchers(f"{here}: arms.{arm}", value) for arm, value in mapping(f"{here}: arms", raw).items()
    }
    only(arms, {"canary", "stable"}, f"{here}: arms")
    if not arms.get("canary"):
        raise GateFileError(f"{here}: arms", "there are no labels for canary", "Such as canary: {track: canary}")
    if "stable" in arms and (not arms["stable"] or arms["stable"] == arms["canary"]):
        raise GateFileError(f"{here}: arms.stable", "its labels do not tell it from canary", "Leave it out at 100 %")
    return arms


def _pods(here: str, raw: Any, arms: Mapping[str, Any]) -> dict[str, int]:
    pods: dict[str, int] = {}
    for arm, value in mapping(f"{here}: expect_pods", raw).items():
        text = str(value).strip()
        # Digits that int() reads: a superscript two is a digit, too.
        if arm not in arms or not re.fullmatch("[0-9]{1,6}", text):
            raise GateFileError(f"{here}: expect_pods.{arm}", f"{value!r}", "Give the number of pods of a known arm")
        pods[str(arm)] = int(text)
    return pods
