# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A promoted region that somebody has changed is told from one that is as it was left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._drift import drift
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record

ROUTE: dict[str, Any] = {"name": "api", "object": {"namespace": "tars"}, "route": "primary"}


class Api:
    """One VirtualService and the Deployments of a namespace."""

    def __init__(self, stable: int, canary: int, images: Mapping[str, str]) -> None:
        entries = [
            {"destination": {"host": "api"}, "weight": stable},
            {"destination": {"host": "api-canary"}, "weight": canary},
        ]
        self.route: dict[str, Any] = {"metadata": {}, "spec": {"http": [{"name": "primary", "route": entries}]}}
        self.images = images
        self.fault: KubeError | None = None

    def get(self, *_words: Any) -> dict[str, Any]:
        if self.fault:
            raise self.fault
        return self.route

    def list(self, *_words: Any) -> list[dict[str, Any]]:
        if self.fault:
            raise self.fault
        return [
            {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [{"image": text}]}}}}
            for name, text in self.images.items()
        ]


def found(
    api: Api, tag: str = "2", route: Mapping[str, Any] | None = None, weights: Mapping[str, int] | None = None
) -> Any:
    wanted = {"api": 0} if weights is None else weights
    record = Record("tars", "us-west-2", "2", "h", "r", phase="promoted", routes=(route or ROUTE,), weights=wanted)
    return drift(api, "tars", record, tag)


@pytest.mark.parametrize("image", ["lab/app:2", "lab:5000/app:2", "lab/app@sha256:00"])
def test_as_it_was_left(image: str) -> None:
    assert found(Api(100, 0, {"api": image})) == []


@pytest.mark.parametrize(
    ("stable", "canary", "words"),
    [
        (75, 25, "the route primary of VirtualService tars/api gives 25 % to the canary, which is gone"),
        (0, 100, "gives 100 % to the canary"),
        (0, 0, "the route primary of VirtualService tars/api gives stable no traffic"),
    ],
)
def test_weights_that_were_moved_by_hand(stable: int, canary: int, words: str) -> None:
    (text,) = found(Api(stable, canary, {"api": "lab/app:2"}))
    assert words in text


def test_images_of_stable() -> None:
    assert found(Api(100, 0, {"api": "lab/app:1"})) == ["the Deployment api has lab/app:1 and not 2"]
    # Not the beginning and not the end of a tag.
    assert found(Api(100, 0, {"api": "lab/app:1.2"})) == ["the Deployment api has lab/app:1.2 and not 2"]
    assert found(Api(100, 0, {})) == ["the Deployment api is not there"]
    assert found(Api(100, 0, {}), tag="") == [] == found(Api(100, 0, {}), weights={})


def test_who_cannot_look_does_not_say_that_all_is_well() -> None:
    api = Api(100, 0, {"api": "lab/app:2"})
    api.fault = KubeError("get is forbidden", reason="kube_forbidden")
    assert found(api) == [
        "where the traffic goes cannot be seen (get is forbidden)",
        "what stable runs cannot be seen (get is forbidden)",
    ]
    api.fault = None
    assert found(api, route={"name": "api", "route": "primary"}) == [
        "where the traffic goes cannot be seen: a route in the record has no 'object'"
    ]
    api.route["spec"]["http"][0]["name"] = "other"
    assert "has no http route named primary" in found(api)[0]
