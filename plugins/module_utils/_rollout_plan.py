# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_plan: validate the whole plan, ask a cluster whether it can be done there, print the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import units
from ansible_collections.tars.rollout.plugins.module_utils._govern import features, lint, page, plan, windows
from ansible_collections.tars.rollout.plugins.module_utils._govern.plan import Layout, Plan
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line

SKIPS = {"capacity": "capacity", "certificate_age": "age", "secret_age": "age"}
"""Which check a problem of a cluster belongs to; the rights cannot be skipped."""


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client of the cluster is made from the options when one is needed."""
    params = call.params
    wanted = _plan(params)
    regions, odd = _regions(params["regions"])
    layout = Layout(tuple(params["waves"]), regions)
    rules = dict(params["rules"].get(wanted.kind) or {})
    found = [*odd, *lint.problems(wanted, layout, rules), *_outside(params["region"], layout)]
    if found and params["enforce"]:
        raise plan.refuse(wanted, found)
    for problem in found:
        call.warn(f"The plan would be refused: {problem.seen}. {problem.hint}")
    if found:
        wanted = plan.well_formed(wanted)
    seen, unseen = _look(call, wanted, client)
    skipped = [text for code, text in seen if SKIPS.get(code) in params["skip"]]
    stopping = [(code, text) for code, text in seen if SKIPS.get(code) not in params["skip"]]
    if stopping:
        raise RolloutError(
            f"The plan of {wanted.release} cannot be carried out in {params['region'] or params['namespace']}: "
            + "; ".join(text for _code, text in stopping),
            reason=stopping[0][0], hint="Put that right first; nothing was touched",
            details={"problems": [{"code": code, "seen": text} for code, text in stopping]},
        )  # fmt: skip
    for text in (*(f"Skipped by an override: {text}" for text in skipped), *(f"Not seen: {text}" for text in unseen)):
        call.warn(text)
    rows = [] if found else page.lines(wanted, layout, page.policy_notes(params["policy"], _window(call)))
    if params["show"]:
        for row in rows:
            call.progress.line(Line(row, ""))
    least, most = wanted.seconds()
    return {
        "changed": False,
        "plan_hash": wanted.digest,
        "names": [name for cohort in wanted.cohorts for name in cohort["services"]],
        "steps": plan.steps(wanted),
        "routes": plan.routes(wanted, params["namespace"] or ""),
        "tracks": plan.tracks(wanted),
        "features": features.values(wanted.features),
        "stables": plan.stables(wanted),
        "workers": wanted.workers,
        "regions": [name for _wave, names in layout.order for name in names],
        "seconds": {"least": least, "most": most},
        "scrape_s": plan.seconds_of(wanted.gate.get("scrape"), 15.0),
        "page": rows,
        "skipped": skipped,
        "unseen": unseen,
    }


def _plan(params: Mapping[str, Any]) -> Plan:
    names = (
        "app", "release", "image_tag", "kind", "stages", "cohorts", "services", "gate", "soak", "back_bake",
        "longest_request", "hold_for", "on_hold", "features", "feature_prefix",
    )  # fmt: skip
    return Plan(
        **{name: params[name] for name in names if name != "image_tag"},
        image_tag=params["image_tag"] or params["release"],
    )


def _regions(raw: Mapping[str, Any]) -> tuple[dict[str, list[str]], list[plan.Problem]]:
    """The regions by wave, and what is no list of them."""
    lists = {str(wave): names for wave, names in raw.items() if isinstance(names, list)}
    odd = [f"the regions of {wave} are {names!r}, which is no list" for wave, names in raw.items() if wave not in lists]
    found = {wave: [str(name) for name in names] for wave, names in lists.items()}
    return found, [plan.Problem("plan_waves", text, "Give a list of names by wave") for text in odd]


def _outside(region: str, layout: Layout) -> list[plan.Problem]:
    """The region of this call is in a wave, where there are waves."""
    if not region or not layout.regions or any(region in names for names in layout.regions.values()):
        return []
    hint = "Put each region into one group of rollout_waves"
    return [plan.Problem("plan_waves", f"the region {region} is in none of the waves", hint)]


def _window(call: Call) -> str:
    if not (raw := call.params["policy"].get("windows")):
        return ""
    now = call.clock.now()
    answer = windows.decide(windows.parse(raw, call.params["policy"].get("overlap") or "refuse", now), now)
    return f"{'it may move now' if answer.allowed else 'it may not move now'}: {answer.text}"


def _look(call: Call, wanted: Plan, client: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Everything that a cluster is asked, in one go: (code, sentence) of what stands in the way, and what was not
    seen."""
    params, now = call.params, call.clock.now()
    asked = {
        name: params[name] for name in ("check_rights", "check_capacity", "certificates", "secrets") if params[name]
    }
    if not asked:
        return [], []
    # Slow to import, and not needed by a plan that is only read.
    from ansible_collections.tars.rollout.plugins.module_utils import _cluster
    from ansible_collections.tars.rollout.plugins.module_utils._govern import survey

    namespace = params["namespace"] or ""
    of_cluster = set(asked) - {"certificates"} or any(item.get("secret") for item in params["certificates"])
    source: Any = client or (_cluster.connect(call) if of_cluster else None)
    found: list[tuple[str, str]] = []
    unseen: list[str] = []
    if "check_rights" in asked:
        found += survey.rights(source, namespace, params["rights"], plan.route_kinds(wanted))
    if "check_capacity" in asked:
        names = [name for cohort in wanted.cohorts for name in cohort["services"]]
        problems, unseen = survey.capacity(source, namespace, names, _share(params["max_use"]))
        found += problems
    found += survey.certificates(source, namespace, params["certificates"], now)
    if "secrets" in asked:
        found += survey.secrets(source, namespace, params["secrets"], now)
    return found, unseen


def _share(raw: str) -> float:
    try:
        return units.percent(raw)
    except units.UnitError as error:
        raise RolloutError(f"max_use cannot be used: {error}", reason="bad_options", hint="Such as 80%") from None
