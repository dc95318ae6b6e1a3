# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double: who may call, and what is not there."""

from __future__ import annotations

import json

import pytest
from statuspage_client import TOKEN, Client


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (None, "no Authorization header"),
        (f"Bearer {TOKEN}", "the scheme word is 'Bearer', not 'OAuth'"),
        (f"oauth {TOKEN}", "the scheme word is 'oauth', not 'OAuth'"),
        ("OAuth wrong-key", "wrong key"),
        (f"OAuth  {TOKEN}", "wrong key"),
        (TOKEN, "the scheme word is"),
    ],
)
@pytest.mark.parametrize("path", ["/incidents", "/nothing-here"])
def test_only_the_right_header_is_let_in(page: Client, header: str | None, problem: str, path: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = page.session.get(page.base + path, headers=headers, timeout=10)
    assert (response.status_code, response.json()) == (401, {"error": "Could not authenticate"})
    assert problem in page.control("GET", "requests")["requests"][0]["problems"][0]


def test_a_key_in_the_url_is_refused(page: Client) -> None:
    assert page.call("GET", f"/incidents?api_key={TOKEN}").status_code == 401
    assert TOKEN not in json.dumps(page.control("GET", "requests"))


@pytest.mark.parametrize("path", ["/incidents/zzzzzzzzzzzz", "/nothing-here", "/incidents/a/b/c", "/components/x/y"])
def test_what_is_not_there_is_404(page: Client, path: str) -> None:
    response = page.call("GET", path)
    assert (response.status_code, set(response.json())) == (404, {"message"})


def test_another_page_is_404(page: Client) -> None:
    url = f"{page.root}/v1/pages/another00page/incidents"
    assert page.session.get(url, headers=page.headers, timeout=10).status_code == 404


def test_what_the_double_cannot_do_yet_is_never_taken_for_absent(page: Client) -> None:
    for method, path in [
        ("GET", "/component-groups"),
        ("GET", "/subscribers"),
    ]:
        assert page.call(method, path).status_code == 501, path
