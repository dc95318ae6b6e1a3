#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: slo_gate
short_description: Judge a canary stage by evidence from Prometheus - pass, hold or rollback
description:
  - Judges all services of one stage in one call, scrape by scrape, until each is decided.
  - Works on counts of bad and of all requests, read as raw samples. Looking at every scrape costs nothing in false
    alarms, and a proven breach is reported within seconds instead of at the end of the bake.
  - A V(pass) needs a positive proof that the violation is excluded. Missing, stale, partial or too few data are a
    V(hold) with a reason, never a V(pass) and never a V(rollback).
  - Shares, latencies and other durations in gate files and in the options here are written with their unit, such as
    V(2%), V(100ms) or V(10m). A number without one is refused.
  - How to choose limits and to read a line is told in the document C(docs/gates.md) of this collection.
extends_documentation_fragment:
  - tars.rollout.cluster
  - tars.rollout.guard
  - tars.rollout.prometheus
  - tars.rollout.cut_traffic
attributes:
  check_mode:
    description:
      - Reads for real once and reports linter and forecast with the same keys; every verdict reads V(not yet).
      - The routes of O(cut_traffic) are read and the API server is asked whether they may be patched; what would keep
        the traffic from being cut is among RV(forecast.findings).
    support: full
  diff_mode:
    description: Nothing is changed but the routes of O(cut_traffic).
    support: none
options:
  services:
    description:
      - One gate file per service, each a mapping with C(service), C(arms), C(slos) and, if wanted, C(expect_pods),
        C(defaults), C(prometheus) and C(stages).
      - An objective has exactly one of C(ratio), C(latency), C(gauge), C(count) (the name of a metric) and C(expr) (a
        query), and a C(limit). C(bad), C(violation), C(max_drift), C(quantile), C(on_limit), C(on_drift), C(for),
        C(match), C(unit) and C(arm) say more.
      - C(stages) are entries like O(stage). The one with the weight of O(stage) holds where neither O(stage) nor
        another option says something else.
    type: list
    elements: dict
    required: true
  stage:
    description:
      - What is different in this stage - C(weight) (0 to 100), C(limits) by name of the objective, C(max_drift), and
        any of the times below.
    type: dict
  bake:
    description: How long the stage is judged, such as V(10m). Wins over stage and gate files, like all times here.
    type: str
  settle:
    description: How much of the bake, at its start, is not judged.
    type: str
  max_bake:
    description: How long a stage that cannot be decided yet goes on being judged. As long as O(bake) by default.
    type: str
  scrape:
    description: The scrape interval of the canary's job. It is polled once per scrape.
    type: str
  alpha:
    description:
      - The chance, per service and stage, of a wrong rollback, such as V(1%). It is split over the objectives.
    type: str
  beta:
    description: The chance, per objective, that a pass did not exclude the violation, such as V(5%).
    type: str
  early_pass:
    description:
      - Pass from this time on, before the end of the bake, as soon as everything is proven. For hot-fixes.
      - Here it is that of all services, in a gate file that of its own service.
    type: str
  baseline_history:
    description: How much of stable's past is read to measure how bursty its errors are. V(0) for none.
    type: str
    default: 1h
  fail_on:
    description: The verdicts that fail the task. All are results in any case.
    type: list
    elements: str
    choices: [rollback, hold]
    default: [rollback]
  since:
    description:
      - When the weight came into force, such as V(2026-01-31T12:00:00Z), or in seconds since 1970, by the clock of this
        machine. RV(tars.rollout.canary_weight#module:moved_at) is such a moment. The call itself by default.
      - The bake begins then. What was scraped before the call is judged first, scrape by scrape.
    type: str
  replay:
    description:
      - Judge a past window from stored data, scrape by scrape as a live run would have, without waiting.
      - The window is the bake. Nothing is cut.
    type: dict
    suboptions:
      start:
        description: When the weight came into force, such as V(2026-01-31T12:00:00Z), or in seconds since 1970.
        type: str
        required: true
      end:
        description: The end of the window.
        type: str
        required: true
  strata:
    description:
      - Label, such as V(route), whose values are compared with stable one by one. For a canary that gets another mix of
        requests than stable.
    type: str
  plan_stages:
    description:
      - How many stages the whole plan has, for the bound on wrong rollbacks over all of them. As many as the gate files
        list by default.
    type: int
  region:
    description: Name of the region, for live lines.
    type: str
    default: ""
  step:
    description: What is judged, for live lines, such as V(backend[1] 10 %).
    type: str
    default: gate
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Send 10 % to the canaries of two services
  tars.rollout.canary_weight:
    region: us-west-2
    weight: 10
    release: "2.1.0"
    services:
      - {name: api, object: {namespace: tars-us-west-2}, route: primary}
      - {name: evaluation, object: {namespace: tars-us-west-2}, route: primary}
  register: weight

- name: Judge the 10 % stage of two services
  tars.rollout.slo_gate:
    prometheus: {url: "https://prometheus.example.net:9090"}
    region: us-west-2
    step: backend[1] 10 %
    stage: {weight: 10}
    since: "{{ weight.moved_at }}"
    bake: 10m
    max_bake: 20m
    services:
      - service: api
        arms:
          canary: {service: api, track: canary}
          stable: {service: api, track: stable}
        expect_pods: {canary: 3}
        slos:
          error_rate: {ratio: http_requests_total, bad: {status: "5.."}, limit: 2%, violation: 5%, max_drift: 10%}
          p95: {latency: http_request_duration_seconds, quantile: p95, limit: 100ms, violation: 250ms, max_drift: 50%}
          restarts: {count: kube_pod_container_status_restarts_total, match: {pod: "api-.*"}, limit: 3, arm: any}
      - service: evaluation
        arms:
          canary: {service: evaluation, track: canary}
          stable: {service: evaluation, track: stable}
        slos:
          error_rate: {ratio: http_requests_total, limit: 2%, violation: 10%, max_drift: 10%}
  register: gate

- name: Would the gate have stopped last Tuesday's release
  tars.rollout.slo_gate:
    prometheus: {url: "https://prometheus.example.net:9090", token: "{{ prometheus_token }}"}
    services: "{{ gates }}"
    replay: {start: "2026-01-27T12:00:00Z", end: "2026-01-27T12:10:00Z"}
    fail_on: []
"""

RETURN = r"""
verdict:
  description: V(pass), V(hold) or V(rollback), the worst of all services; V(not yet) in check mode.
  returned: always
  type: str
  sample: rollback
reason:
  description:
    - Stable code. V(OK); V(ABOVE_LIMIT), V(WORSE_THAN_STABLE), V(HARD_RULE); V(NO_DATA), V(NO_TRAFFIC), V(THIN_DATA),
      V(STALE_DATA), V(TARGETS_DOWN), V(BASELINE_MISSING), V(BASELINE_UNHEALTHY), V(BUCKETS_TOO_COARSE), V(QUERY_ERROR),
      V(PARTIAL_DATA), V(CLOCK_SKEW).
    - When the call itself fails, a code in small letters such as V(bad_gate_file).
  returned: always
  type: str
  sample: WORSE_THAN_STABLE
slo:
  description: The objective that decides; empty when none does.
  returned: always
  type: str
decided_after_s:
  description: Seconds from the start of the bake to the poll that decided.
  returned: always
  type: float
services:
  description: One entry per service.
  returned: always
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    verdict: {description: Its verdict., type: str}
    reason: {description: Its reason., type: str}
    slo: {description: The objective that decides it., type: str}
    line: {description: The explanation in one line., type: str}
    slos:
      description: One entry per objective with C(verdict), C(reason), C(line) and the counts of both arms.
      type: list
      elements: dict
forecast:
  description: What the stage will be able to decide, from the traffic before it.
  returned: always
  type: dict
  contains:
    decidable: {description: False when an objective cannot pass within the bake., type: bool}
    false_rollback_at_most:
      description: Bound on the chance of a wrong rollback over all services and stages of the plan.
      type: float
    text: {description: The same as a sentence., type: str}
    findings: {description: What the linter has to say., type: list, elements: str}
    slos:
      description: Per objective, requests expected and needed, and the bake or weight that would do.
      type: list
      elements: dict
notes:
  description:
    - What Prometheus had to say beside its answers, such as that a metric may be no counter. At most 50, each once;
      none of them changes a verdict.
  returned: always
  type: list
  elements: str
evidence:
  description:
    - Per poll, service and objective the counts C(x), C(n) of the canary and C(y), C(m) of stable since the start, and
      the evidence as decimal logarithms - C(worse), C(above) and C(excluded), each with what decides.
    - At most 2000 rows.
  returned: always
  type: list
  elements: dict
cost:
  description:
    - Polls, requests, samples, bytes and seconds that the call cost Prometheus. C(poll_requests) and C(poll_samples)
      are those of the polls, without the first values, the history and the linter.
  returned: always
  type: dict
cut:
  description: What became of O(cut_traffic); null when nothing was cut.
  returned: always
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._guard import lease_option
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run


def spec() -> dict[str, Any]:
    prometheus = {
        "url": {"type": "str"},
        "token": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "headers": {"type": "dict"},
        "secret_headers": {"type": "dict", "no_log": True},
        "ca": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "proxy": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "str"},
    }
    place = {"namespace": {"type": "str", "required": True}, "name": {"type": "str"}, "kind": {"type": "str"}}
    route = {
        "name": {"type": "str", "required": True},
        "provider": {"type": "str", "choices": ["istio", "gateway_api"], "default": "istio"},
        "object": {"type": "dict", "required": True, "options": place},
        "route": {"type": "str", "required": True},
        "stable": {"type": "str"},
        "canary": {"type": "str"},
    }
    cut = {
        "release": {"type": "str", "required": True},
        "services": {"type": "list", "elements": "dict", "required": True, "options": route},
    }
    moments = {"start": {"type": "str", "required": True}, "end": {"type": "str", "required": True}}
    times = ("bake", "settle", "max_bake", "scrape", "alpha", "beta")
    return {
        **cluster_options(),
        **lease_option(),
        "services": {"type": "list", "elements": "dict", "required": True},
        "stage": {"type": "dict"},
        "prometheus": {"type": "dict", "options": prometheus},
        **{name: {"type": "str"} for name in times},
        # Nothing secret: the sanity test takes "pass" for a password.
        "early_pass": {"type": "str", "no_log": False},
        "baseline_history": {"type": "str", "default": "1h"},
        "fail_on": {"type": "list", "elements": "str", "choices": ["rollback", "hold"], "default": ["rollback"]},
        "cut_traffic": {"type": "dict", "options": cut},
        "since": {"type": "str"},
        "replay": {"type": "dict", "options": moments},
        "strata": {"type": "str"},
        "plan_stages": {"type": "int"},
        "region": {"type": "str", "default": ""},
        "step": {"type": "str", "default": "gate"},
    }


def main() -> None:
    run_module(
        AnsibleModule(
            argument_spec=spec(),
            supports_check_mode=True,
        ),
        run,
    )


if __name__ == "__main__":
    main()
