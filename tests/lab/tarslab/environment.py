# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shell, a test or a playbook has to know to reach the lab: `.lab/env.json` and `lab env`."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from . import files

if TYPE_CHECKING:
    from .context import Lab


def values(lab: Lab) -> dict[str, str]:
    """Return the lab's environment variables."""
    ports, host = lab.ports, "127.0.0.1"
    found = {
        "KUBECONFIG": str(lab.paths.kubeconfig),
        "LAB_NAME": lab.identity.name,
        "LAB_GATEWAY_URL": f"http://{host}:{ports['gateway']}",
        "LAB_GATEWAY_API_URL": f"http://{host}:{ports['gateway_api']}",
        "LAB_GATEWAY_STATS_URL": f"http://{host}:{ports['gateway_stats']}",
        "LAB_PROMETHEUS_URL": f"http://{host}:{ports['prometheus']}",
        "LAB_PG_PRIMARY": f"{host}:{ports['pg_primary']}",
        "LAB_PG_STANDBY": f"{host}:{ports['pg_standby']}",
        "LAB_REDIS": f"{host}:{ports['redis']}",
        "LAB_SENTINEL": f"{host}:{ports['sentinel']}",
        "LAB_STATUSPAGE_URL": f"http://{host}:{ports['statuspage']}",
        # The other doubles are behind the same address; the page for a person is at its root.
        "LAB_DOUBLES_URL": f"http://{host}:{ports['statuspage']}",
        # Mode 0600; the key that all doubles take is "statuspage" in it.
        "LAB_SECRETS": str(lab.paths.state / "secrets.json"),
        "LAB_REGIONS": ",".join(lab.regions),
        "LAB_HELM": str(lab.programs["helm"]),
        # Where Helm keeps the regions' releases; without it `helm history` finds none.
        "HELM_DRIVER": "configmap",
        "LAB_KUBECTL": str(lab.programs["kubectl"]),
        "LAB_AUDIT_LOG": str(lab.paths.audit / "audit.log"),
    }
    for region in lab.regions:
        found[f"LAB_KUBECONFIG_{region.upper()}"] = str(lab.paths.kubeconfigs / f"{region}.yaml")
    return found


def write(lab: Lab) -> None:
    """Write `.lab/env.json`."""
    files.write_json(lab.paths.state / "env.json", dict(values(lab)))


def exports(variables: dict[str, str]) -> str:
    """Return lines for a shell's `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))


def as_json(variables: dict[str, str]) -> str:
    """Return the variables as one JSON object."""
    return json.dumps(variables, indent=2, sort_keys=True)
