# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Whether stable is the new release: every pod of it, and all of them at work. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, World, name_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.readiness import pods_of, progress


def lacks(world: World, names: Sequence[str], label: str, tag: str) -> list[str]:
    """Sentences about what of stable is not whole or not the image ``tag``; empty when traffic may go back to it.

    Without a tag only whether it is whole, for which no pod must be read.

    A pod belongs to stable when its ``label`` has the value that stable's Deployment selects by. One that is about to
    go does not count. Pods that may not be read are told of, since nothing is known of them.
    """
    pods = [item for item in world.all("pods") if item["metadata"].get("namespace") == world.namespace]
    found = [text for name in names for text in _service(name, world.named("deployments", name), pods, label, tag)]
    if tag and any(item.resource == "pods" and item.where != "the whole cluster" for item in world.unread):
        found.append(f"the pods of namespace {world.namespace} may not be read")
    return found


def _service(name: str, deployment: Document | None, pods: Sequence[Document], label: str, tag: str) -> Iterator[str]:
    value = ((deployment or {}).get("spec") or {}).get("selector", {}).get("matchLabels", {}).get(label)
    own = pods_of(pods, {label: value}) if value else []
    seen = progress(deployment, own, 0)
    if not seen.ready:
        yield f"{name}: {seen.seen}"
    for pod in own if tag else ():
        images = [str(item.get("image", "")) for item in pod["spec"]["containers"]]
        if not any(image.partition("@")[0].endswith(f":{tag}") for image in images):
            yield f"pod {name_of(pod)} runs {', '.join(images)}"
