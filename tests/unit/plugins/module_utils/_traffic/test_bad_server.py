# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that does not do what is asked: real HTTP answers, a bounded number of tries, one sentence each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import TRIES, Mover, Wanted
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from mesh import target, virtual_service

HTML = b"<html><body>502 Bad Gateway</body></html>"
FORBIDDEN = b'{"kind": "Status", "reason": "Forbidden", "message": "virtualservices is forbidden"}'


@pytest.mark.parametrize(
    ("verb", "status", "body", "reason", "tries"),
    [
        ("GET", 429, b"{}", "kube_busy", TRIES),
        ("GET", 503, b"{}", "kube_status", TRIES),
        ("GET", 502, HTML, "kube_status", TRIES),
        ("GET", 200, HTML, "kube_not_json", 1),
        ("GET", 403, FORBIDDEN, "kube_forbidden", 1),
        ("GET", 404, b"{}", "kube_not_found", 1),
        ("PATCH", 409, b"{}", "conflict", TRIES),
        ("PATCH", 422, b"{}", "conflict", TRIES),
        ("PATCH", 429, b"{}", "kube_busy", TRIES),
        ("PATCH", 503, b"{}", "kube_status", TRIES),
        ("PATCH", 403, FORBIDDEN, "kube_forbidden", 1),
    ],
)
def test_what_it_answers_is_one_sentence_after_a_bounded_number_of_tries(
    serve: Callable[..., Any], clock: Any, verb: str, status: int, body: bytes, reason: str, tries: int
) -> None:
    def behave(handler: Any, server: Any) -> None:
        if handler.command == verb:
            server.reply(handler, status, body)
        else:
            server.reply(handler, 200, json.dumps(virtual_service()).encode())

    server = serve(behave)
    client = _kube.from_token(server.url, "not-a-real-token", Scrubber())
    mover, wanted = Mover(Kubernetes(client), clock, 100), [Wanted(target(), Wish(25))]
    with pytest.raises(RolloutError) as caught:
        mover.patch(wanted, mover.plan(wanted))
    assert caught.value.reason == reason
    assert len([item for item in server.seen if item[0] == verb]) == tries
    told = str(caught.value)
    assert "\n" not in told and "Traceback" not in told and "not-a-real-token" not in told and caught.value.hint
    if reason == "kube_forbidden":
        assert f'verb "{verb.lower()}" on resource "virtualservices"' in told
