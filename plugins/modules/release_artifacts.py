#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_artifacts
short_description: See that a release consists of the very bytes that were built
description:
  - Hashes the files of a release against its manifest, reads the version of its chart, verifies signatures and bills of
    materials, asks the registry whether each image is there, whole, and the one that is named, and compares the
      digests that
    pods run with those of the release.
  - Changes nothing, and fails with the first thing that is not as it was named. The C(digest) that it returns is
    what an
    approval is bound to.
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Reads as always; there is nothing to write.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  folder:
    description: The folder of the release on the controller. No file outside of it is read.
    type: path
  sums:
    description: Name of the manifest in O(folder), as C(sha256sum) writes it. An empty one when O(files) names all.
    type: str
    default: SHA256SUMS
  files:
    description: SHA-256 by name of files in O(folder), beside or in place of O(sums).
    type: dict
    default: {}
  whole:
    description: Files or folders of which the manifest must name every file, such as the migrations. Those that lie
      outside of O(folder) are not looked at.
    type: list
    elements: path
    default: []
  chart:
    description: The packaged chart, with C(file) (which the manifest must name) and what its Chart.yaml must say in
      C(name), C(version) and C(app_version). C(used) is what Helm will take, which must be that file.
    type: dict
  images:
    description: The images. Each has C(name) (of the service), C(image) (a reference) and C(digest).
    type: list
    elements: dict
    default: []
  pull:
    description: Whether to ask the registries for the images.
    type: bool
    default: true
  registry:
    description: How to reach the registries.
    type: dict
    suboptions:
      username: {description: Name to log in with., type: str}
      password: {description: Password or token., type: str}
      plain_http: {description: Speak HTTP without TLS., type: bool, default: false}
      ca: {description: Path of a bundle of certificates., type: path}
      validate_certs: {description: Whether to check the certificate., type: bool, default: true}
      timeout: {description: Seconds of silence after which a call is given up., type: float, default: 20.0}
  signatures:
    description: Files signed by C(cosign sign-blob). Each has C(file), and may have C(signature) (C(<file>.sig))
      and C(key).
    type: list
    elements: dict
    default: []
  signing_key:
    description: Path of the public key for O(signatures) that name none.
    type: path
  image_key:
    description: Path of the public key by which each image must be signed in its registry. Without it signatures
      are not asked for.
    type: path
  sboms:
    description: Bills of materials, SPDX or CycloneDX in JSON. Each has C(file), and may have C(version).
    type: list
    elements: dict
    default: []
  version:
    description: The version that bills of materials must be about.
    type: str
  forbid_severities:
    description: Severities of vulnerabilities that a CycloneDX file may not leave open, such as V(high) and
      V(critical).
    type: list
    elements: str
    default: []
  need_images:
    description: Whether a release that names no image is refused, as one must be whose pods will be compared.
    type: bool
    default: false
  pods:
    description: Whether to compare the digests that pods in O(namespace) run. Every image must be run by one at least.
    type: bool
    default: false
  services:
    description: With O(pods), the names of the images that must run. All of O(images) when empty.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the pods.
    type: str
  label_selector:
    description: Which pods are looked at.
    type: str
    default: ""
  region:
    description: Name of the region, for live lines.
    type: str
    default: ""
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: See that the release is the one that was built
  tars.rollout.release_artifacts:
    folder: release/v1_0_1
    chart: {file: tars-1.0.1.tgz, name: tars, version: "1.0.1"}
    images:
      - name: api
        image: registry.example.net/tars/api:v1.0.1
        digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  register: artifacts

- name: See that pods run those very images
  tars.rollout.release_artifacts:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-production
    pods: true
    images: "{{ artifacts.images }}"
"""

RETURN = r"""
digest:
  description: One digest over all files and images of the release.
  returned: success
  type: str
  sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
files: {description: Names of the files that were hashed., returned: success, type: list, elements: str}
chart: {description: What the chart says., returned: success, type: dict}
signed: {description: Names of the files whose signature holds., returned: success, type: list, elements: str}
sboms: {description: What each bill of materials is about., returned: success, type: list, elements: dict}
images: {description: "The images, each with all C(digests) that mean it.", returned: success, type: list, elements:
  dict}
pods: {description: Containers that run an image of the release., returned: success, type: list, elements: dict}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: file_changed}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._release_artifacts import run


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "folder": {"type": "path"},
        "sums": {"type": "str", "default": "SHA256SUMS"},
        "files": {"type": "dict", "default": {}},
        "whole": {"type": "list", "elements": "path", "default": []},
        "chart": {"type": "dict"},
        "images": {"type": "list", "elements": "dict", "default": []},
        "pull": {"type": "bool", "default": True},
        "registry": {
            "type": "dict",
            "options": {
                "username": {"type": "str"},
                "password": {"type": "str", "no_log": True},
                "plain_http": {"type": "bool", "default": False},
                "ca": {"type": "path"},
                "validate_certs": {"type": "bool", "default": True},
                "timeout": {"type": "float", "default": 20.0},
            },
        },
        "signatures": {"type": "list", "elements": "dict", "default": []},
        "signing_key": {"type": "path", "no_log": False},
        "image_key": {"type": "path", "no_log": False},
        "sboms": {"type": "list", "elements": "dict", "default": []},
        "version": {"type": "str"},
        "forbid_severities": {"type": "list", "elements": "str", "default": []},
        "need_images": {"type": "bool", "default": False},
        "pods": {"type": "bool", "default": False},
        "services": {"type": "list", "elements": "str", "default": []},
        "namespace": {"type": "str"},
        "label_selector": {"type": "str", "default": ""},
        "region": {"type": "str", "default": ""},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=spec(), supports_check_mode=True, required_if=[("pods", True, ["namespace"])])
    run_module(module, run)


if __name__ == "__main__":
    main()
