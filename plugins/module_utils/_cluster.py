# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The options by which a module reaches its cluster, and the client that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call

if TYPE_CHECKING:
    from ansible_collections.tars.rollout.plugins.module_utils import _kube

# Seconds that our clock and the API server's may differ. Moments in the record are ours, and others wait by them.
SKEW = 30.0


def cluster_options() -> dict[str, dict[str, Any]]:
    """For the argument_spec of a module; the texts are in the doc fragment C(cluster)."""
    return {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "api_timeout": {"type": "float", "default": 10.0},
    }


def connect(call: Call) -> _kube.Client:
    """A client as the module's options say; without a kubeconfig with the service account of the pod it runs in."""
    return connect_to(call, call.params)


def connect_to(call: Call, place: Mapping[str, Any]) -> _kube.Client:
    """The same for a place with ``kubeconfig`` and ``context``, where one call reads many clusters."""
    # Half a second of the processor, which a module that ends up asking no cluster does not spend.
    from ansible_collections.tars.rollout.plugins.module_utils import _kube

    timeouts = _kube.Timeouts(connect=min(5.0, call.params["api_timeout"]), read=call.params["api_timeout"])
    if path := place["kubeconfig"]:
        return _kube.from_kubeconfig(path, place["context"] or "", call.scrubber, timeouts)
    return _kube.in_cluster(call.scrubber, timeouts)


def refuse_skew(client: Any, region: str) -> None:
    """RolloutError ``clock_skew`` when the last answer of the API server told another time than ours."""
    skew = getattr(client, "skew", None) or 0.0
    if abs(skew) > SKEW:
        raise RolloutError(
            f"The clock of this machine is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the one of the API "
            f"server of {region}; soaks, holds and leases would end at the wrong moment",
            reason="clock_skew",
            hint="Put the clock right (chrony, ntpd), then run the same command again; nothing was changed",
            details={"skew_s": round(skew, 1), "allowed_s": SKEW},
        )
