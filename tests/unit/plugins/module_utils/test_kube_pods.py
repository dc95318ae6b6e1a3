# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking pods through the API server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber


def test_a_pod_answers_as_it_likes(serve: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 200, b"envoy_x{} 1\n"))
    client = _kube.from_token(server.url, "planted-token-4711", Scrubber())
    assert client.pod_get("istio-system", "gw-1", 15090, "/stats?filter=a|b") == "envoy_x{} 1\n"
    method, path, headers, _body = server.seen[0]
    assert (method, path) == ("GET", "/api/v1/namespaces/istio-system/pods/gw-1:15090/proxy/stats?filter=a%7Cb")
    assert headers["authorization"] == "Bearer planted-token-4711"


@pytest.mark.parametrize(("status", "reason"), [(403, "kube_forbidden"), (404, "kube_not_found"), (503, "kube_status")])
def test_refusals_name_the_pod(serve: Any, status: int, reason: str) -> None:
    server = serve(lambda handler, server: server.reply(handler, status, b"no"))
    with pytest.raises(RolloutError) as caught:
        _kube.from_token(server.url, "t-4711", Scrubber()).pod_get("istio-system", "gw-1", 15090, "/stats")
    assert caught.value.reason == reason
    assert "get pods/proxy/gw-1:15090/stats in namespace istio-system was refused" in caught.value.msg
    assert caught.value.details["status"] == status
