#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_smoke
short_description: Ask canaries a few requests before any user meets them
description:
  - Sends smoke requests to the canary of each service, all at the same time, while no weight leads to it.
  - A service whose route has one by header to the canary alone is asked at the gateway, as users come.
    Any other one is asked straight at the canary's Service through the API server, which needs the verb C(get) on
    C(services/proxy) in its namespace and proves nothing of the gateway; the result says which way it was.
  - A canary that neither way leads to alone, such as a subset without a route by header, is not asked; that is a
    warning, and a fault where O(requests_of) names the service.
  - Of a WebSocket the opening handshake of RFC 6455 is checked and a close frame sent.
  - Answers 502, 503 and 504, and none at all, are asked again within O(patience), as a gateway may not know the
    canary's pods yet. Any other wrong answer fails at once.
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Reads the routes, tells the way to each canary, and asks nothing.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
options:
  services:
    description: The routes of the services, as P(tars.rollout.canary_weight#module) takes them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service or, where it has several routes, of the route.
        type: str
        required: true
      of:
        description: Name of the service where O(services[].name) is that of one of its routes. It is asked once.
        type: str
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
            description: Kind of the object; C(VirtualService), or C(HTTPRoute) for V(gateway_api).
            type: str
      route:
        description: Name of the route that has the weights.
        type: str
        required: true
      stable:
        description: The destination of stable.
        type: str
      canary:
        description: The destination of the canary.
        type: str
  requests:
    description: What is asked of each service without requests of its own.
    type: list
    elements: dict
    default: [{path: /health}]
    suboptions:
      path:
        description: Path with its query.
        type: str
        required: true
      websocket:
        description: Whether a WebSocket is opened there, and closed at once.
        type: bool
        default: false
      status:
        description: Good statuses; V(200) to V(399) when empty. A WebSocket is always V(101).
        type: list
        elements: int
        default: []
      expect:
        description: Headers that a good answer has, with their values, such as one that tells the version.
        type: dict
        default: {}
      seconds:
        description: Seconds within which the whole answer must be there.
        type: float
        default: 10.0
  requests_of:
    description: The same by name of the service, for those that are asked something else. An empty list asks nothing.
    type: dict
    default: {}
  gateway_url:
    description: Address of the gateway, such as V(https://gateway.example.net). Without it no request goes by header.
    type: str
    default: ""
  header:
    description: The header that leads to a canary.
    type: str
    default: x-canary
  header_value:
    description: Its value.
    type: str
    default: "true"
  validate_certs:
    description: Whether the gateway's certificate is checked, for the host of the route.
    type: bool
    default: true
  ca:
    description: Path of a bundle of certificates for that.
    type: path
  patience:
    description: Seconds for which an answer that may pass is borne.
    type: float
    default: 5.0
  release:
    description: The release, for the ledger.
    type: str
  region:
    description: Name of the region, for live lines and the ledger.
    type: str
    default: ""
  ledger:
    description: Path of the ledger, a file of JSON lines to which what was seen is appended.
    type: path
seealso:
  - module: tars.rollout.canary_weight
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Ask two canaries before any user meets them
  tars.rollout.canary_smoke:
    kubeconfig: "{{ region_kubeconfig }}"
    services:
      - {name: api, object: {namespace: tars-us-west-2}, route: primary}
      - {name: dashboard, object: {namespace: tars-us-west-2}, route: primary}
    requests: [{path: /health, expect: {x-version: "2.1.0"}}]
    requests_of:
      dashboard: [{path: /}, {path: /ws, websocket: true}]
    gateway_url: https://gateway.us-west-2.example.net
"""

RETURN = r"""
services:
  description: One entry per service.
  returned: success and, below details, where a request failed
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    way:
      description:
        - V(header), at the gateway by the header.
        - V(inside), at the canary's Service through the API server.
        - V(none), it was not asked.
      type: str
    way_text: {description: The same in words., type: str}
    passed: {description: Whether all was as wanted; null where nothing was asked; V(not yet) in check mode., type: raw}
    requests:
      description: What came of each request.
      type: list
      elements: dict
      contains:
        request: {description: What was asked., type: str, sample: GET /health}
        status: {description: Status of the last answer; 0 when there was none., type: int}
        passed: {description: Whether it was as wanted., type: raw}
        seen: {description: "What was wrong, or the status with its time.", type: str}
        tries: {description: How often it was asked., type: int}
        seconds: {description: Seconds that the last answer took., type: float}
lines: {description: The same in one line per request., returned: success, type: list, elements: str}
elapsed: {description: Seconds that the call took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: smoke_failed}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_smoke import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._traffic.request import SERVICE_OPTIONS
from ansible_collections.tars.rollout.plugins.module_utils._traffic.smoke import REQUEST_OPTIONS


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "services": {
            "type": "list", "elements": "dict", "required": True,
            "options": {**SERVICE_OPTIONS, "of": {"type": "str"}},
        },
        "requests": {
            "type": "list", "elements": "dict", "options": dict(REQUEST_OPTIONS), "default": [{"path": "/health"}],
        },
        "requests_of": {"type": "dict", "default": {}},
        "gateway_url": {"type": "str", "default": ""},
        "header": {"type": "str", "default": "x-canary"},
        "header_value": {"type": "str", "default": "true"},
        "validate_certs": {"type": "bool", "default": True},
        "ca": {"type": "path"},
        "patience": {"type": "float", "default": 5.0},
        "release": {"type": "str"},
        "region": {"type": "str", "default": ""},
        "ledger": {"type": "path"},
    }  # fmt: skip


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
