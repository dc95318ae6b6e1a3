# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of Istio and the Gateway API, from the files that their Go modules carry."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..errors import LabError
from ..kube import Document, Kube

ISTIO_GROUPS = ("networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io")

ESTABLISH_SECONDS = 30.0


def install(kube: Kube, istio: Path, gateway_api: Path) -> None:
    """Make the kinds known to the API server and return when it serves them."""
    documents = wanted(istio, gateway_api)
    kube.apply(documents)
    kube.wait_established([document["metadata"]["name"] for document in documents], ESTABLISH_SECONDS)


def wanted(istio: Path, gateway_api: Path) -> list[Document]:
    """Return the CustomResourceDefinitions that the lab needs: of Istio those that istiod reads, of the Gateway API its
    standard channel. LabError where a file is missing or holds none.
    """
    folder = sorted(gateway_api.glob("*.yaml"))
    found = [document for path in (istio, *folder) for document in _definitions(path)]
    groups = {document["spec"]["group"] for document in found}
    for group in (*ISTIO_GROUPS, "gateway.networking.k8s.io"):
        if group not in groups:
            raise LabError(f"No kind of {group} in {istio} and {gateway_api}: is the Go module complete?")
    return found


def _definitions(path: Path) -> list[Document]:
    # The pure Python reader needs seconds for Istio's 18 000 lines.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=loader))
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"Could not read the kinds in {path}: {error}") from error
    return [document for document in documents if document and document["kind"] == "CustomResourceDefinition"]
