# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Which services get a canary track, and what it runs."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the services.
    type: str
    required: true
  services:
    description: The services, each named once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service and of its Deployment.
        type: str
        required: true
      kind:
        description:
          - A V(routed) service gets a canary. A V(worker) takes its work from a queue and a V(singleton) works alone;
            neither is ever copied.
        type: str
        choices: [routed, worker, singleton]
        default: routed
      with_stable:
        description:
          - The service gets no canary, because it changes when stable is rolled.
          - Without it a worker or a singleton is refused.
        type: bool
        default: false
      container:
        description: The container whose image is the service's; the first one when not given.
        type: str
      image:
        description: The whole reference of what the canary runs, without a tag or digest beside it.
        type: str
      tag:
        description: Tag of the release; O(tag) when nothing is given for the service.
        type: str
      digest:
        description: Digest of the release, C(sha256:) and 64 digits. With a tag beside it the digest decides.
        type: str
      env:
        description:
          - Variables that are set in the canary's container only, such as feature flags. Values are texts.
          - They flip with the release and, as stable does not have them, back with a rollback.
        type: dict
        default: {}
      config_maps:
        description: ConfigMaps that the canary uses in the place of others, by the name of those that stable uses.
        type: dict
        default: {}
      secrets:
        description: Secrets that the canary uses in the place of others, by the name of those that stable uses.
        type: dict
        default: {}
  tag:
    description: Tag of the release for all services that say nothing else.
    type: str
  track_label:
    description:
      - A label that tells the tracks apart. Stable's Deployment must select its pods by it.
      - The canary's pods have the same value with C(-canary).
    type: str
    default: app.kubernetes.io/name
  weight:
    description:
      - Percent of the traffic that the canary's pods must be able to carry, a whole number from 1 to 100.
      - A canary has that part of stable's pods, rounded up, and never less than one.
    type: raw
    default: 100
"""
