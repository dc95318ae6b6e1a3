# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""From the options of a call to services. Pure; every refusal is a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, TrackError

SERVICE_OPTIONS: Mapping[str, Any] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["routed", "worker", "singleton"], "default": "routed"},
    "with_stable": {"type": "bool", "default": False},
    "container": {"type": "str"},
    "image": {"type": "str"},
    "tag": {"type": "str"},
    "digest": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "config_maps": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": False},
}
"""What names a service and its canary, for the argument_spec of every module that takes some."""


def services(params: Mapping[str, Any]) -> list[Service]:
    """The services of a call; TrackError for none, for one named twice, and for values that are no texts."""
    names_of([entry["name"] for entry in params["services"]])
    return [_service(entry, params.get("tag") or "") for entry in params["services"]]


def names_of(names: Sequence[str]) -> Sequence[str]:
    """The same names; TrackError when there is none, or one twice."""
    if not names:
        raise TrackError(
            "No service is named in services, so there is nothing to do", reason="no_services", hint="Name at least one"
        )
    for at, name in enumerate(names):
        if name in names[:at]:
            raise TrackError(
                f"The service {name} is named twice in one call", reason="service_twice", hint="Name each service once"
            )
    return names


def _service(entry: Mapping[str, Any], tag: str) -> Service:
    own = entry.get("image") or entry.get("tag") or entry.get("digest")
    return Service(
        entry["name"],
        entry["kind"],
        entry["with_stable"],
        entry.get("container") or "",
        entry.get("image") or "",
        entry.get("tag") or ("" if own else tag),
        entry.get("digest") or "",
        _texts(entry, "env"),
        _texts(entry, "config_maps"),
        _texts(entry, "secrets"),
    )


def _texts(entry: Mapping[str, Any], option: str) -> Mapping[str, str]:
    for name, value in entry[option].items():
        # A bool or a number would reach the pod in a form that nobody chose: True, 1.0.
        if not isinstance(value, str):
            raise TrackError(
                f"{option} of the service {entry['name']} gives {name} the value {value!r}, which is no text",
                reason=f"{option}_invalid",
                hint="Write it in quotes",
                details={"service": entry["name"], "option": option},
            )
    found: Mapping[str, str] = entry[option]
    return found
