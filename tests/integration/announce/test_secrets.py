# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted tokens through a talkative ansible-playbook: not in its output, and in no process' arguments."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import yaml
from announce_tools import PAGE, ROUTING_KEY, TOKEN, Doubles

CHECKOUT = Path(__file__).parents[3]
SECRETS = (TOKEN, ROUTING_KEY)
# From where they cannot come into a playbook's text: Ansible shows lines of it beside an error.
GIVEN = {"PLANTED_TOKEN": TOKEN, "PLANTED_KEY": ROUTING_KEY}
TOKEN_THERE, KEY_THERE = (f"{{{{ lookup('ansible.builtin.env', '{name}') }}}}" for name in GIVEN)


def tasks(doubles: Doubles, folder: Path) -> list[dict[str, Any]]:
    root, sent = doubles.root, str(folder / "sent.json")
    page = {"page_id": PAGE, "api_key": TOKEN_THERE, "api_url": f"{root}/v1"}
    receivers = [
        {"name": "page", "type": "statuspage", "page_id": PAGE, "token": TOKEN_THERE, "url": f"{root}/v1"},
        {"name": "chat", "type": "slack", "token": TOKEN_THERE, "url": f"{root}/api"},
        {"name": "pager", "type": "pagerduty", "routing_key": KEY_THERE, "url": root},
    ]
    content = {"channel": "nowhere", "text": "x"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("slack_message", {"token": TOKEN_THERE, "base_url": f"{root}/api", "channel": "tars-deployments", "key": "k",
                           "text": "x", "sent_file": sent}),
        ("slack_message", {"webhook": f"{root}/services/T00000000/B00000000/{TOKEN_THERE}x", "key": "w", "text": "x",
                           "sent_file": sent}),
        ("pagerduty_event", {"routing_key": KEY_THERE, "base_url": root, "action": "trigger", "dedup_key": "k",
                             "summary": "x", "severity": "critical", "sent_file": sent}),
        ("statuspage_incident", {**page, "key": "k", "name": "x", "status": "investigating", "body": "x"}),
        ("statuspage_info", page),
        ("github_deployment", {"token": TOKEN_THERE, "base_url": root, "repository": "example/tars", "ref": "v1.0.1",
                               "environment": "eu", "key": "k", "state": "success"}),
        ("rollout_announce", {"receivers": receivers, "messages": [
            {"to": "chat", "key": "k", "event": "a", "content": content}], "sent_file": sent}),
    ]  # fmt: skip
    return [
        {"name": f"{number} {name}", f"tars.rollout.{name}": arguments, "ignore_errors": True}
        for number, (name, arguments) in enumerate(calls)
    ]


class Watcher(threading.Thread):
    """Reads the arguments of all processes of this machine until it is told to end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                self.found |= {text for secret in SECRETS if secret in text}


def test_planted_tokens_are_nowhere_at_the_highest_verbosity(doubles: Doubles, tmp_path: Path) -> None:
    # One answer that repeats what it was sent, as some proxies do.
    doubles.fault("enqueue", times=1, status=400, text=f"<html>bad request: {ROUTING_KEY}</html>")
    play = [{"name": "P", "hosts": "localhost", "gather_facts": False, "tasks": tasks(doubles, tmp_path)}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    watcher = Watcher()
    watcher.start()
    said = ""
    for more in (["--check"], []):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-vvvv", "--diff", "-i", "localhost,",
             "-c", "local", str(tmp_path / "play.yml"), *more],
            cwd=CHECKOUT,
            env={**os.environ, **GIVEN, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        said += done.stdout + done.stderr
    watcher.over.set()
    watcher.join()
    # They did speak to the services, and with the tokens.
    assert {entry["path"].split("/")[1] for entry in doubles.journal()} >= {"api", "v1", "v2", "repos"}
    for secret in SECRETS:
        assert secret not in said
    assert not watcher.found
