# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a playbook includes it: all events to all receivers, for both severity tables, and never in the way."""

from __future__ import annotations

import email
import email.policy
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests
import yaml
from announce_tools import PAGE, ROUTING_KEY, TOKEN, Doubles, Mailbox

CHECKOUT = Path(__file__).parents[3]
EVERYBODY_KEY = "everybody-key-everybody-key-3232"
GIVEN = {"PLANTED_TOKEN": TOKEN, "PLANTED_KEY": ROUTING_KEY, "PLANTED_OTHER": EVERYBODY_KEY}
HELD = {name: f"{{{{ lookup('ansible.builtin.env', '{name}') }}}}" for name in GIVEN}
EVENTS = [
    {"announce_event": "scheduled", "announce_region": "all regions"},
    {"announce_event": "started", "announce_region": "eu"},
    {"announce_event": "stage_passed", "announce_region": "eu", "announce_subject": "backend[0] 1 %"},
    {"announce_event": "holding", "announce_region": "eu", "announce_subject": "backend[1]", "announce_reason": "p95"},
    {"announce_event": "holding", "announce_region": "eu", "announce_subject": "soaking", "announce_reason": "p95"},
    {"announce_event": "soaking", "announce_region": "eu"},
    {"announce_event": "promoted", "announce_region": "eu"},
    {"announce_event": "finished", "announce_region": "all regions"},
    {"announce_event": "rolled_back", "announce_region": "us", "announce_reason": "error_rate"},
    {"announce_event": "aborted", "announce_region": "us", "announce_reason": "task_failed"},
]


class Play:
    """Plays of the role on two hosts at once: p has the table p, sev the other one."""

    def __init__(self, doubles: Doubles, folder: Path, port: int, silences: str = "") -> None:
        root, self.folder = doubles.root, folder
        token = HELD["PLANTED_TOKEN"]
        duty = {"type": "pagerduty", "url": root}
        receivers: list[dict[str, Any]] = [
            {"name": "statuspage", "type": "statuspage", "page_id": PAGE, "token": token, "url": f"{root}/v1"},
            {"name": "slack", "type": "slack", "token": token, "url": f"{root}/api"},
            {"name": "pagerduty", "routing_key": HELD["PLANTED_KEY"], **duty},
            {"name": "pagerduty_all", "routing_key": HELD["PLANTED_OTHER"], **duty},
            {"name": "github", "type": "github", "repository": "example/tars", "token": token, "url": root},
            {"name": "mail", "type": "mail", "host": "127.0.0.1", "port": port, "tls": "never",
             "sender": "rollout@example.net"},
            *([{"name": "alertmanager", "type": "alertmanager", "url": silences}] if silences else []),
        ]  # fmt: skip
        self.vars = {
            "announce_receivers": receivers,
            "announce_table": "{{ inventory_hostname }}",
            "rollout_release": "1.0.1-{{ inventory_hostname }}",
            "rollout_evidence": str(folder),
            "rollout_run": "test",
            "announce_window": {"start": "2026-01-31T02:00:00Z", "end": "2026-01-31T04:00:00Z"},
            "announce_slack_channel": "C0DEPLOY0001",
            "announce_mail_to": ["team@example.net"],
            "announce_budget": 60,
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }

    def run(
        self, told: list[dict[str, Any]], hosts: str = "p,sev,", tasks_from: str = "main.yml", when: str = "true"
    ) -> Any:
        """One play that tells all of it; a moment is said before each and at the end."""
        role = {
            "name": "tars.rollout.announce",
            "tasks_from": tasks_from,
            "rolespec_validate": tasks_from != "main.yml",
        }
        moment = {"ansible.builtin.debug": {"msg": "AT={{ now(utc=true).timestamp() }}"}, "run_once": True}
        tasks: list[dict[str, Any]] = []
        for number, more in enumerate(told):
            include = {"name": f"Tell {number}", "ansible.builtin.include_role": role, "vars": more, "when": when}
            tasks += [{"name": "Say the moment", **moment}, include]
        tasks.append({"name": "Say the moment", **moment})
        play = {"name": "P", "hosts": "all", "gather_facts": False, "max_fail_percentage": 0, "vars": self.vars,
                "vars_files": [str(CHECKOUT / "playbooks" / "vars" / "announce.yml")], "tasks": tasks}  # fmt: skip
        (self.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", hosts, str(self.folder / "play.yml")],
            cwd=CHECKOUT, env={**os.environ, **GIVEN, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


def seconds(done: Any) -> list[float]:
    """How long each of the told events took."""
    moments = [float(found) for found in re.findall(r"AT=([\d.]+)", done.stdout)]
    return [later - earlier for earlier, later in pairwise(moments)]


def updates(doubles: Doubles) -> dict[str, list[str]]:
    """By key, the statuses that subscribers of the page saw."""
    found = doubles.control("GET", "incidents")
    return {
        item["metadata"]["tars"]["key"]: [update["status"] for update in reversed(item["incident_updates"])]
        for item in found
    }


def test_all_events_for_both_tables_are_told_once(
    doubles: Doubles, mailbox: tuple[Mailbox, int], alertmanager: str, tmp_path: Path
) -> None:
    box, port = mailbox
    play = Play(doubles, tmp_path, port, alertmanager)
    done = play.run(EVENTS)
    assert done.returncode == 0 and "was not announced" not in done.stdout + done.stderr, done.stdout[-3000:]
    for table in ("p", "sev"):
        key = f"tars-1.0.1-{table}"
        assert updates(doubles)[key] == [
            "scheduled", "in_progress", "in_progress", "verifying", "completed", "completed"
        ], table  # fmt: skip
        assert updates(doubles)[f"{key}-rollback-us"] == ["identified"]
    assert len(updates(doubles)) == 4
    assert all(
        update["deliver_notifications"] is False
        for item in doubles.control("GET", "incidents")
        for update in item["incident_updates"]
    )
    _slack(doubles)
    _paged(doubles)
    _mailed(box)
    deployed = doubles.control("GET", "github")["deployments"]
    # The later of the two successes makes the earlier one inactive.
    states = sorted(
        [item["environment"], *(status["state"] for status in item["statuses"] if status["state"] != "inactive")]
        for item in deployed
    )
    eu = ["eu", "in_progress", "in_progress", "pending", "pending", "success"]
    assert states == [eu, eu, ["us", "failure", "error"], ["us", "failure", "error"]]
    listed = requests.get(f"{alertmanager}/api/v2/silences", timeout=30).json()
    assert [item["status"]["state"] for item in listed] == ["expired"] * 2
    assert doubles.problems() == []
    # The same play again: nobody is asked or told anything.
    asked, mails = len(doubles.journal()), len(box.mails)
    again = play.run(EVENTS)
    assert again.returncode == 0 and (len(doubles.journal()), len(box.mails)) == (asked, mails)
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0"]
    # What an event costs beyond one that has nothing to tell; the machine may be busy with other things.
    assert median(seconds(done)) <= median(seconds(again)) + 4


def _slack(doubles: Doubles) -> None:
    messages = doubles.control("GET", "slack")["messages"]
    roots = [item for item in messages if "thread_ts" not in item]
    assert sorted(item["text"] for item in roots) == [
        f"T.A.R.S. 1.0.1-{table} deployment - us: ABORTED\nReason: task_failed" for table in ("p", "sev")
    ]
    for root in roots:
        lines = [item["text"].split("\n")[0] for item in messages if item.get("thread_ts") == root["ts"]]
        assert lines == [
            "all regions: scheduled", "eu: started", "eu: stage passed (backend[0] 1 %)", "eu: HOLDING (backend[1])",
            "eu: HOLDING (soaking)", "eu: soaking", "eu: promoted", "all regions: finished", "us: ROLLED BACK",
            "us: ABORTED",
        ]  # fmt: skip


def _paged(doubles: Doubles) -> None:
    """Table p pages on holding, and everybody; table sev pages the primary only, and nobody on holding."""
    alerts = doubles.control("GET", "pagerduty")["alerts"]
    found = sorted(
        (item["dedup_key"].removeprefix("tars/1.0.1-"), item["status"], [event["action"] for event in item["events"]])
        for item in alerts
    )
    held = ("p/eu/rollout", "resolve", ["trigger", "trigger", "resolve"])
    ended = ("p/us/rollout", "trigger", ["trigger", "trigger"])
    assert found == [held, held, ended, ended, ("sev/us/rollout", "trigger", ["trigger", "trigger"])]
    assert len({item["service"] for item in alerts}) == 2
    assert {item["severity"] for item in alerts if "/us/" in item["dedup_key"]} == {"error"}


def _mailed(box: Mailbox) -> None:
    mails = [email.message_from_string(text, policy=email.policy.default) for text in box.mails]
    for table in ("p", "sev"):
        own = [mail for mail in mails if f"1.0.1-{table} " in mail["Subject"]]
        assert [re.sub(r"^\S+ \S+ ", "", mail["Subject"]) for mail in own] == [
            "scheduled in all regions", "holding in eu, backend[1]", "holding in eu, soaking",
            "finished in all regions", "rolled back in us", "aborted in us",
        ]  # fmt: skip
        assert [mail["References"] for mail in own] == [None, *[own[0]["Message-ID"]] * 5]


def test_a_wrong_template_or_setting_fails_no_play(
    doubles: Doubles, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    play = Play(doubles, tmp_path, mailbox[1])
    shutil.copytree(CHECKOUT / "roles" / "announce" / "templates", tmp_path / "templates")
    (tmp_path / "templates" / "slack.yml.j2").write_text("text: {{ nothing.of.the.kind }}\n", encoding="utf-8")
    wrong = [
        {**EVENTS[1], "announce_templates": str(tmp_path / "templates")},
        {**EVENTS[1], "announce_budget": "x"},
        {**EVENTS[1], "announce_receivers": [{"name": "slack", "type": "slak"}]},
    ]
    done = play.run(wrong, "p,")
    assert done.returncode == 0 and done.stdout.count("eu: started was not announced") == 3, done.stdout
    assert "rescued=3" in done.stdout and TOKEN not in done.stdout + done.stderr
    # They are found before anything moves.
    for change, seen in (
        ({"announce_table": "P"}, ["announce_table is P"]),
        ({"announce_levels": {"p": {"rolled_back": "P9"}}, "announce_templates": str(tmp_path)},
         ["does not have: P9", "slack.yml.j2"]),
        ({"announce_budget": "x"}, ["announce_budget"]),
    ):  # fmt: skip
        refused = play.run([change], "p,", "check")
        said = " ".join(refused.stdout.split())
        assert refused.returncode != 0 and all(word in said for word in seen), refused.stdout
    assert play.run([{}], "p,", "check").returncode == 0


@pytest.mark.parametrize("budget", [3])
def test_receivers_that_hang_cost_the_budget(
    doubles: Doubles, mailbox: tuple[Mailbox, int], tmp_path: Path, budget: int
) -> None:
    play = Play(doubles, tmp_path, mailbox[1])
    doubles.fault(".*", effect="hang", seconds=30)
    nothing = {"announce_retry": True, "announce_sent_file": str(tmp_path / "none.json")}
    done = play.run([nothing, {**EVENTS[1], "announce_budget": budget}, nothing], "p,")
    before, hung, after = seconds(done)
    assert done.returncode == 0 and "eu/started was not announced to slack" in done.stdout + done.stderr
    assert hung <= budget + max(before, after) + 1, (before, hung, after)


def test_a_playbook_tries_again_only_where_something_waits(
    doubles: Doubles, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    """As the playbooks do it at their end."""
    play = Play(doubles, tmp_path, mailbox[1])
    tried = "Tell it to all receivers"
    nothing = play.run([{}], "p,", "retry.yml", "announce_waits")
    assert nothing.returncode == 0 and tried not in nothing.stdout, nothing.stdout
    doubles.fault("postMessage", status=503)
    late = play.run([{**EVENTS[1], "announce_budget": 3}], "p,")
    assert late.returncode == 0 and doubles.control("GET", "slack")["messages"] == []
    doubles.control("POST", "faults", {"faults": []})
    again = play.run([{}, {}], "p,", "retry.yml", "announce_waits")
    assert again.returncode == 0 and again.stdout.count(tried) == 1, again.stdout
    assert len(doubles.control("GET", "slack")["messages"]) == 2
