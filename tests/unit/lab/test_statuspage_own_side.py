# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double's own side: journal, reset, start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from statuspage_client import DASHBOARD, EVALUATION, PACKAGE, PAGE, TOKEN, WINDOW, Client, start, stop


def test_the_journal_shows_everything_but_the_key(page: Client) -> None:
    page.create(name="x", body=f"leaks {TOKEN}")
    page.call("GET", f"/incidents?q={TOKEN}&limit=1")
    page.call("POST", "/incidents", data=f"not json {TOKEN}", headers={"Content-Type": "application/json"})
    journal = page.control("GET", "requests")
    assert TOKEN not in json.dumps(journal)
    post, get, bad = journal["requests"]
    assert (post["method"], post["path"], post["status"]) == ("POST", f"/v1/pages/{PAGE}/incidents", 201)
    assert post["body"] == {"incident": {"name": "x", "body": "leaks <redacted>"}}
    assert post["headers"]["Authorization"] == "OAuth <redacted>"
    assert post["problems"] == []
    assert get["query"] == [["q", "<redacted>"], ["limit", "1"]]
    assert (bad["status"], bad["text"]) == (422, "not json <redacted>")
    assert journal["with_problems"] == 1


def test_reset_forgets_and_may_bring_its_own(page: Client) -> None:
    page.made(name="x", components={EVALUATION: "major_outage"})
    own = {
        "id": "m1aaaaaaaaaa",
        "name": "Deployment",
        "status": "in_progress",
        "components": [{"id": DASHBOARD, "name": "Dashboard API", "status": "under_maintenance"}],
        "incident_updates": [],
        **WINDOW,
    }
    page.control("POST", "reset", json={"incidents": [own]})
    assert page.control("GET", "requests") == {"requests": [], "with_problems": 0}
    listed = page.call("GET", "/incidents").json()
    assert [item["id"] for item in listed] == ["m1aaaaaaaaaa"]
    assert listed[0]["components"][0]["status"] == "under_maintenance"
    statuses = {item["id"]: item["status"] for item in page.call("GET", "/components").json()}
    assert (statuses[EVALUATION], statuses[DASHBOARD]) == ("operational", "under_maintenance")
    assert page.patch(listed[0], status="completed").status_code == 200


def test_a_reset_that_makes_no_sense_is_refused(page: Client) -> None:
    for body in ("[]", "{", '{"other": []}', '{"incidents": [{}]}', '{"components": [1]}'):
        response = page.session.post(f"{page.root}/_double/reset", data=body, timeout=10)
        assert response.status_code == 422, body


def test_unknown_keys_can_be_ignored_as_the_vendor_may(tmp_path: Path) -> None:
    process, root = start(tmp_path, "--unknown-keys", "ignore", "--page", PAGE)
    try:
        client = Client(root)
        made = client.made(name="x", status="scheduled", message="y", **WINDOW)
        # The old name of the text: the call succeeds and the public text is empty.
        assert made["incident_updates"][0]["body"] == ""
        assert client.control("GET", "requests")["requests"][0]["problems"][0] == "unknown key incident.message"
    finally:
        stop(process)


@pytest.mark.parametrize("content", ["", "  \n", "two words"])
def test_a_token_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    token = tmp_path / "token"
    token.write_text(content, encoding="utf-8")
    done = _refused(token)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the token in" in done.stderr


def test_a_missing_token_file_is_one_sentence(tmp_path: Path) -> None:
    done = _refused(tmp_path / "none")
    assert done.returncode == 2
    assert "cannot read the token" in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_sentence(served: Client, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    done = _refused(token, served.root.rsplit(":", 1)[1])
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr and "Traceback" not in done.stderr


def _refused(token: Path, port: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "double_server", "--port", port, "--token-file", str(token)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
