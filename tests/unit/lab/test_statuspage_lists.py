# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double: pages, search, parameters."""

from __future__ import annotations

import pytest
from statuspage_client import Client


def _loaded(page: Client, count: int) -> None:
    incidents = [
        {"id": f"f{i:011d}", "name": f"filler-{i}", "status": "resolved", "components": [], "incident_updates": []}
        for i in range(count)
    ]
    components = [
        {"id": f"c{i:011d}", "name": f"filler-{i}", "status": "operational", "group_id": None, "group": False}
        for i in range(count)
    ]
    page.control("POST", "reset", json={"incidents": incidents, "components": components})


def test_incidents_come_in_pages_newest_first(page: Client) -> None:
    _loaded(page, 250)
    newest = page.made(name="newest")
    first = page.call("GET", "/incidents").json()
    assert len(first) == 100 and first[0]["id"] == newest["id"] and first[1]["name"] == "filler-0"
    sizes = [len(page.call("GET", "/incidents", params={"limit": 100, "page": n}).json()) for n in (1, 2, 3, 4)]
    assert sizes == [100, 100, 51, 0]
    third = page.call("GET", "/incidents", params={"limit": "10", "page": "3"}).json()
    assert [item["name"] for item in third] == [f"filler-{i}" for i in range(19, 29)]


def test_components_come_in_pages(page: Client) -> None:
    _loaded(page, 150)
    pages = [page.call("GET", "/components", params={"page": n, "per_page": 100}).json() for n in (1, 2, 3)]
    assert [len(one) for one in pages] == [100, 50, 0]
    assert pages[1][-1]["name"] == "filler-149"


def test_search_reads_names_and_updates_but_not_metadata(page: Client) -> None:
    page.made(name="Deployment", body="Canary at 10 %", metadata={"tars": {"key": "secret-key"}})
    page.made(name="Other")
    words = ("deploy", "canary", "secret-key")
    found = {word: len(page.call("GET", "/incidents", params={"q": word}).json()) for word in words}
    assert found == {"deploy": 1, "canary": 1, "secret-key": 0}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/incidents", "limit=101"),
        ("/incidents", "limit=0"),
        ("/incidents", "limit=x"),
        ("/incidents", "page=0"),
        ("/incidents", "page=-1"),
        ("/incidents", "per_page=10"),
        ("/incidents", "page=1&page=2"),
        ("/components", "limit=10"),
        ("/components", "per_page=101"),
        ("/components", "page="),
    ],
)
def test_query_parameters_that_the_documents_do_not_have(page: Client, path: str, query: str) -> None:
    assert page.call("GET", f"{path}?{query}").status_code == 422
