#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_weight
short_description: Move the traffic of services between stable and canary, and prove that it moved
description:
  - Sets the weight of the canary in one named route of each service, all services of a call at the same time.
  - Nothing else of an object is touched. Each write is a JSON Patch that is refused as a whole when the route has
    changed since it was read, or when a newer run acts there (see O(fence)).
  - When one service of a call cannot be planned, none is changed.
  - With O(observe) the module waits until every gateway uses the new weights, and then until the requests that the
    gateways count exclude the share from before. Without traffic it says so and does not wait.
extends_documentation_fragment:
  - tars.rollout.cluster
  - tars.rollout.guard
attributes:
  check_mode:
    description: Reads and plans as always, and writes nothing.
    support: full
  diff_mode:
    description: Shows weights and annotations of each route that changes.
    support: full
options:
  services:
    description: The services whose routes are moved, each named once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service, as it appears in results and messages.
        type: str
        required: true
      provider:
        description: What routes the service.
        type: str
        choices: [istio, gateway_api]
        default: istio
      object:
        description: The object that holds the route.
        type: dict
        required: true
        suboptions:
          namespace:
            description: Namespace of the object.
            type: str
            required: true
          name:
            description: Name of the object; the service's name when not given.
            type: str
          kind:
            description: C(VirtualService) for V(istio); C(HTTPRoute) (the default) or C(GRPCRoute) for V(gateway_api).
            type: str
      route:
        description:
          - Name of the http route (V(istio)), or name or index of the rule (V(gateway_api)).
          - Routes beside it, such as one by a header, stay as they are.
        type: str
        required: true
      stable:
        description:
          - The destination of stable; a subset where the route's destinations have subsets, else a host.
          - By default the subset C(stable), or the host with the service's name.
        type: str
      canary:
        description:
          - The destination of the canary.
          - By default the subset C(canary), or the host with the service's name and C(-canary).
        type: str
  weight:
    description:
      - Percent of the traffic of stable and canary that the canary gets, a whole number from 0 to 100.
      - Booleans and any text that is not just digits are refused.
      - Other destinations of the route keep their part.
    type: raw
  cut:
    description:
      - Take the canary out of the traffic now. The weight becomes 0, and the annotation C(ga.rollout/cut) tells
        O(release), time and reason, which a run that is resumed reads as a verdict.
      - Without O(fence) the next fence is taken, so that whoever moved traffic before is stopped.
      - It waits for nobody's readiness. Afterwards a stable that is not whole is a warning, for which the verb C(get)
        on deployments is needed.
    type: dict
    suboptions:
      reason:
        description: Why, as a stable code such as V(slo_violated).
        type: str
        required: true
  release:
    description: The release whose traffic this is. Needed for O(cut), and to tell its cut from one of another release.
    type: str
  lift_cut:
    description: Give weight to a route although it was cut for this very release, and remove the annotation.
    type: bool
    default: false
  tolerate:
    description:
      - Programs that own a route, found by its marks, and are known to leave its weights alone.
      - Any other owner is a second writer and refused, but for a O(cut).
      - For V(argo_cd) that means auto-sync is paused, or the weights are among the differences that it ignores.
    type: list
    elements: str
    choices: [argo_cd, argo_rollouts, flagger]
    default: []
  fence:
    description:
      - The number under which this run acts. It is kept on each object as annotation C(ga.rollout/fence).
      - An object with a larger number refuses the call; a smaller one is replaced.
      - Without it the number that is there is tested and kept.
    type: raw
  observe:
    description: Prove that traffic follows. Without this option the weights are written and nothing is waited for.
    type: dict
    suboptions:
      route_timeout:
        description: Seconds within which every gateway must use the new weights. Later than that is a fault.
        type: float
        default: 12.0
      timeout:
        description: Seconds after which the share is reported as it is, shown or not.
        type: float
        default: 30.0
      interval:
        description: Seconds between two looks at the counters.
        type: float
        default: 0.5
      quiet:
        description: Seconds without a single request after which a service is reported as without traffic.
        type: float
        default: 3.0
      away:
        description:
          - Seconds for which gateways may be without the mesh's control plane. Later than that, or at the end of
            O(observe.route_timeout), the fault is V(control_plane_away).
          - The weights stay written and act when it is back.
        type: float
        default: 6.0
  gateways:
    description:
      - Where the gateways are. They are asked through the API server, which needs the verbs C(list) on pods and C(get)
        on C(pods/proxy) in their namespace.
      - Only used with O(observe).
    type: dict
    suboptions:
      namespace:
        description: Namespace of the gateway pods.
        type: str
        default: istio-system
      labels:
        description: Label selector of the gateway pods.
        type: str
        default: istio=ingressgateway
      port:
        description: Port on which they tell of themselves.
        type: int
        default: 15090
      dump:
        description:
          - Path of Envoy's config dump on that port.
          - Where gateways show none, give an empty text. The proof is then that each gateway took new routes since the
            write, by C(rds.config_reload) of its statistics, which says nothing of their weights.
        type: str
        default: /config_dump?resource=dynamic_route_configs
      stats:
        description: Path of Envoy's statistics in the form for Prometheus on that port.
        type: str
        default: /stats/prometheus?filter=upstream_rq_(total|.xx)|connected_state|config_reload
      prometheus:
        description:
          - Ask Prometheus instead of the pods, where nobody may use C(pods/proxy).
          - The proof is then that each gateway took new routes since, and takes one or two scrapes longer.
        type: dict
        suboptions:
          url:
            description: Address of Prometheus.
            type: str
            required: true
          token:
            description: Bearer token.
            type: str
          ca:
            description: Path of a bundle of certificates.
            type: path
          validate_certs:
            description: Whether to check its certificate.
            type: bool
            default: true
          selector:
            description: Matchers of the series of the gateways; these need the label C(pod).
            type: str
            default: job="gateway"
  probes:
    description:
      - Requests through the gateway, as users send them, are the proof of weight 0 where the gateways cannot be asked.
        Every answer must come from O(probes.stable).
      - Only used with O(observe), after that has failed, and within another O(observe.route_timeout). What gateways
        did say, such as old weights or that the mesh's control plane is away, is not overruled.
      - This proof is weaker, as it knows only the gateways that the requests have met, and nothing of other objects
        that route the same host. A warning says that it was used.
    type: dict
    suboptions:
      url:
        description: Address of the gateway, such as V(https://gateway.example.net).
        type: str
        required: true
      header:
        description: The header of an answer that names the release which gave it.
        type: str
        default: x-version
      stable:
        description: What that header says in answers of stable. Any other answer, and none, may be the canary's.
        type: str
        required: true
      path:
        description: The path that is asked for. The route that is moved must be the one that such a request takes.
        type: str
        default: /
      count:
        description:
          - How many requests are sent per route at least, each on a connection of its own; 1 to 1000.
          - A canary that had a small weight is met seldom, so there are more where they would miss it more than once in
            a thousand times.
        type: int
        default: 50
      validate_certs:
        description: Whether to check the gateway's certificate.
        type: bool
        default: true
      ca:
        description: Path of a bundle of certificates.
        type: path
  timeout:
    description: Seconds within which a conflict or a busy API server is answered with another try, at most five.
    type: float
    default: 10.0
  region:
    description: Name of the region, for live lines and the ledger.
    type: str
    default: ""
  ledger:
    description: Path of the ledger, a file of JSON lines to which every change is appended.
    type: path
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Give the canaries of two services 10 % of the traffic and see it arrive
  tars.rollout.canary_weight:
    kubeconfig: "{{ region_kubeconfig }}"
    services:
      - name: api
        object: {namespace: tars-us-west-2}
        route: primary
      - name: evaluation
        object: {namespace: tars-us-west-2}
        route: primary
    weight: 10
    release: "2.1.0"
    fence: 7
    observe: {}

- name: Take the canary of api out of the traffic now
  tars.rollout.canary_weight:
    kubeconfig: "{{ region_kubeconfig }}"
    services:
      - name: api
        object: {namespace: tars-us-west-2}
        route: primary
    cut: {reason: slo_violated}
    release: "2.1.0"

- name: An HTTPRoute of the Gateway API
  tars.rollout.canary_weight:
    services:
      - name: insight
        provider: gateway_api
        object: {namespace: tars-us-west-2, kind: HTTPRoute}
        route: primary
    weight: 25
"""

RETURN = r"""
services:
  description: One entry per service, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    provider: {description: What routes it., type: str}
    object: {description: Kind and name of the object., type: str, sample: VirtualService tars-us-west-2/api}
    route: {description: Name of the route., type: str}
    before: {description: Percent of the canary before; null when both weights were 0., type: float}
    wanted: {description: Percent that was asked for., type: int}
    after: {description: Percent that the route says now., type: float}
    changed: {description: Whether the object was written., type: bool}
    fence: {description: The fence that the object carries now., type: int}
    cut: {description: Whether the object tells of a cut now., type: bool}
    reads: {description: How often the object was read., type: int}
    patches: {description: How many patches were sent., type: int}
    patched_after: {description: Seconds from the start of the call to the answer of the patch., type: float}
    gateways: {description: How many gateways were asked., type: int, returned: with O(observe)}
    gateway_after:
      description: Seconds from the writes until every gateway used the weights.
      type: float
      returned: with O(observe)
    share:
      description: Requests at the gateways since they use the weights.
      type: dict
      returned: with O(observe)
      contains:
        state:
          description:
            - V(proven), the share from before is excluded by two looks in a row.
            - V(unchanged), there was none to exclude.
            - V(undecided), too few requests in time; V(no_traffic), none at all.
            - V(not_counted), the gateways do not count this service.
            - V(probed), no gateway was asked, and O(probes) were all answered by stable.
            - V(not yet), in check mode.
          type: str
        canary: {description: Requests to the canary., type: int}
        total: {description: Requests to both., type: int}
        percent: {description: The canary's part., type: float}
        low: {description: Lower end of its Wilson interval of 95 %., type: float}
        high: {description: Upper end of its Wilson interval of 95 %., type: float}
        after: {description: Seconds of counting., type: float}
reads: {description: Reads of route objects in this call., returned: success, type: int}
patches: {description: Patches sent in this call., returned: success, type: int}
elapsed: {description: Seconds that the call took., returned: success, type: float}
moved_at:
  description:
    - When the weights were in force. With O(observe), when the last gateway was seen to use them; requests are counted
      after that.
    - The option O(tars.rollout.slo_gate#module:since) takes it.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123Z"
reason: {description: Stable code of a fault., returned: failure, type: str, sample: fence_lost}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_weight import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._guard import lease_option
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._traffic.request import SERVICE_OPTIONS
from ansible_collections.tars.rollout.plugins.module_utils._traffic.writers import OWNERS

STATS = "/stats/prometheus?filter=upstream_rq_(total|.xx)|connected_state|config_reload"


def spec() -> dict[str, Any]:
    observe = {
        "route_timeout": {"type": "float", "default": 12.0},
        "timeout": {"type": "float", "default": 30.0},
        "interval": {"type": "float", "default": 0.5},
        "quiet": {"type": "float", "default": 3.0},
        "away": {"type": "float", "default": 6.0},
    }
    prometheus = {
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "no_log": True},
        "ca": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "selector": {"type": "str", "default": 'job="gateway"'},
    }
    probes = {
        "url": {"type": "str", "required": True},
        "header": {"type": "str", "default": "x-version"},
        "stable": {"type": "str", "required": True},
        "path": {"type": "str", "default": "/"},
        "count": {"type": "int", "default": 50},
        "validate_certs": {"type": "bool", "default": True},
        "ca": {"type": "path"},
    }
    gateways = {
        "namespace": {"type": "str", "default": "istio-system"},
        "labels": {"type": "str", "default": "istio=ingressgateway"},
        "port": {"type": "int", "default": 15090},
        "dump": {"type": "str", "default": "/config_dump?resource=dynamic_route_configs"},
        "stats": {"type": "str", "default": STATS},
        "prometheus": {"type": "dict", "options": prometheus},
    }
    return {
        **cluster_options(),
        **lease_option(),
        "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE_OPTIONS},
        "weight": {"type": "raw"},
        "cut": {"type": "dict", "options": {"reason": {"type": "str", "required": True}}},
        "release": {"type": "str"},
        "lift_cut": {"type": "bool", "default": False},
        "tolerate": {"type": "list", "elements": "str", "choices": list(OWNERS), "default": []},
        "fence": {"type": "raw"},
        "observe": {"type": "dict", "options": observe},
        "gateways": {"type": "dict", "options": gateways, "apply_defaults": True},
        "probes": {"type": "dict", "options": probes},
        "timeout": {"type": "float", "default": 10.0},
        "region": {"type": "str", "default": ""},
        "ledger": {"type": "path"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
