# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: slo
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
short_description: Read objectives from OpenSLO or Argo Rollouts into the form of a gate file
description:
  - Reads YAML files of OpenSLO v1 (kinds C(SLO) and C(SLI)) and Argo Rollouts (C(AnalysisTemplate),
    C(ClusterAnalysisTemplate)) and gives what M(tars.rollout.slo_gate) needs of them.
  - Queries of the forms C(sum(rate(selector[5m]))), C(sum(increase(selector[5m]))) and C(sum(selector)) become
    selectors, C(histogram_quantile) and buckets become latencies. Everything else becomes an C(expr), a hard rule
    without statistics.
  - Whatever else a file says is listed in C(not_carried), one sentence each. Read them before you use the result.
options:
  _terms:
    description: Paths of the files.
    type: list
    elements: path
    required: true
  arguments:
    description: Values of the arguments of an C(AnalysisTemplate).
    type: dict
    default: {}
  arm_labels:
    description:
      - Labels that tell canary from stable, such as V(deployment). Selectors are taken over without them, as the gate
        adds them from its C(arms).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What could not be carried over
  ansible.builtin.debug:
    msg: "{{ lookup('tars.rollout.slo', 'slo/api.yaml').not_carried }}"

- name: Judge a stage by the objectives of an OpenSLO file
  tars.rollout.slo_gate:
    prometheus: {url: "https://prometheus.example.net:9090"}
    bake: 10m
    services:
      - service: api
        arms: {canary: {deployment: canary}, stable: {deployment: stable}}
        slos: "{{ lookup('tars.rollout.slo', 'slo/api.yaml', arm_labels=['deployment']).slos }}"
"""

RETURN = r"""
_raw:
  description: One entry per file.
  type: list
  elements: dict
  contains:
    slos:
      description: Objectives by name, as in the C(slos) of a gate file.
      type: dict
    defaults:
      description: C(bake) and C(settle), where the file tells them.
      type: dict
    service:
      description: The service, where the file names one.
      type: str
    not_carried:
      description: What the file says and a gate cannot, one sentence each.
      type: list
      elements: str
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._slo_import import argo, openslo


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads one file per term."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        return [self._file(str(term)) for term in terms]

    def _file(self, term: str) -> dict[str, Any]:
        path = self.find_file_in_search_path(self._templar.available_variables, "files", term, ignore_missing=True)
        if path is None:
            raise AnsibleLookupError(f"The file {term} was not found to import objectives from. Give its path.")
        try:
            documents = [item for item in yaml.safe_load_all(Path(path).read_text(encoding="utf-8")) if item]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise AnsibleLookupError(f"{term} cannot be imported: it is no readable YAML ({error}).") from error
        try:
            return self._read(term, documents)
        except RolloutError as error:
            raise AnsibleLookupError(f"{term}: {error}") from error

    def _read(self, term: str, documents: list[Any]) -> dict[str, Any]:
        if not documents or not all(isinstance(item, Mapping) for item in documents):
            raise AnsibleLookupError(f"{term} cannot be imported: it holds no documents with a kind.")
        labels = self.get_option("arm_labels")
        if any(item.get("apiVersion") == openslo.VERSION for item in documents):
            return openslo.read(documents, labels).as_data()
        if any(item.get("kind") in argo.KINDS for item in documents):
            return argo.read(documents, self.get_option("arguments"), labels).as_data()
        seen = ", ".join(sorted({f"{item.get('apiVersion')} {item.get('kind')}" for item in documents}))
        known = f"{openslo.VERSION} and Argo's {' and '.join(argo.KINDS)}"
        raise AnsibleLookupError(f"{term} cannot be imported: it holds {seen}. Known are {known}.")
