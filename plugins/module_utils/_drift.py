# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Whether a region that is promoted is still as its record says: a record does not see what hands do to a route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import KINDS
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Split, Target
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._traffic.request import target


def drift(client: Any, namespace: str, record: Record, tag: str) -> list[str]:
    """Sentences about what is not as a promoted region was left; empty when all is.

    One read per route of the record and one of the Deployments. What cannot be read is told as well: who does not know
    does not say that all is well. ``tag``: of the images of the release; empty: images are not looked at.
    """
    provider = Kubernetes(client)
    found = [text for route in record.routes if (text := _route(provider, route))]
    if tag and record.weights:
        try:
            live = {item["metadata"]["name"]: item for item in client.list(KINDS["deployments"], namespace)}
        except RolloutError as error:
            return [*found, f"what stable runs cannot be seen ({error.msg})"]
        found += [text for name in record.weights if (text := image(name, live.get(name), tag))]
    return found


def _route(provider: Kubernetes, route: Mapping[str, Any]) -> str:
    try:
        wanted = target({"provider": "istio", **route})
        return traffic(wanted, provider.observe(wanted).split)
    except RolloutError as error:
        return f"where the traffic goes cannot be seen ({error.msg})"
    except KeyError as error:
        return f"where the traffic goes cannot be seen: a route in the record has no {error}"


def traffic(route: Target, split: Split) -> str:
    """What is wrong with a route after the end of a rollout; empty when stable has all of it."""
    if split.share is None:
        return f"the {route} gives stable no traffic"
    return f"the {route} gives {split.share:.0f} % to the canary, which is gone" if split.share else ""


def image(name: str, deployment: Mapping[str, Any] | None, tag: str) -> str:
    """What is wrong with what a service runs; empty when it is the release, or an image that is named by its bytes."""
    if deployment is None:
        return f"the Deployment {name} is not there"
    there = list(_images(deployment))
    if any("@" in text or text.endswith(f":{tag}") for text in there):
        return ""
    return f"the Deployment {name} has {', '.join(there) or 'no image'} and not {tag}"


def _images(deployment: Mapping[str, Any]) -> Iterator[str]:
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        yield str(container.get("image", ""))
