#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: mail_notice
short_description: Send a mail once
description:
  - Sends over SMTP with a C(Message-ID) that follows from O(key) and the recipients, so that a mail program
    shows it once
    however often it comes, and threads it to the first mail of O(thread).
  - Answers of 4xx and lost connections are tried again after 5 and 30 seconds, as far as O(timeout) goes; 5xx are not.
  - A recipient that is refused while others are taken is told in RV(refused), and is no failure.
  - With O(sent_file) what was sent is never sent again, whatever its text is by then.
extends_documentation_fragment:
  - tars.rollout.announce
options:
  key:
    description: A text that stays the same for this mail, such as C(tars/1.0.1/finished).
    type: str
    required: true
  thread:
    description: The key of the first mail of the thread.
    type: str
  host:
    description: The mail server.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    default: 587
  tls:
    description: STARTTLS demanded, taken where it is offered, TLS from the first byte, or none at all.
    type: str
    choices: [required, if_offered, implicit, never]
    default: required
  user:
    description: Login, where the server wants one.
    type: str
  password:
    description: Its password.
    type: str
  sender:
    description: The sender's address.
    type: str
    required: true
  to:
    description: The recipients.
    type: list
    elements: str
    required: true
  subject:
    description: The subject.
    type: str
    required: true
  body:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Tell the stakeholders that the rollout is done
  tars.rollout.mail_notice:
    host: mail.example.net
    sender: rollout@example.net
    to: [team@example.net]
    key: tars/1.0.1/finished
    thread: tars/1.0.1/scheduled
    subject: T.A.R.S. 1.0.1 is in production
    body: All regions have it.
    sent_file: build/rollout/1.0.1/announced.json
"""

RETURN = r"""
act: {description: sent or unchanged., returned: success, type: str, sample: sent}
message_id: {description: The mail's Message-ID., returned: when it was sent, type: str}
refused: {description: "Refused recipients, with what the server said.", returned: when it was sent, type: dict}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: mail_refused}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce import mail
from ansible_collections.tars.rollout.plugins.module_utils._message import message_options, send_one
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module


def spec() -> dict[str, Any]:
    return {
        **message_options(),
        "key": {"type": "str", "required": True, "no_log": False},
        "thread": {"type": "str"},
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 587},
        "tls": {"type": "str", "choices": list(mail.TLS), "default": "required"},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sender": {"type": "str", "required": True},
        "to": {"type": "list", "elements": "str", "required": True},
        "subject": {"type": "str", "required": True},
        "body": {"type": "str", "required": True},
    }


def run(call: Call) -> Mapping[str, Any]:
    params = call.params
    server = mail.Server(params["host"], params["port"], params["tls"], params["user"] or "", params["password"] or "")
    return send_one(call, "mail_notice", params["key"], lambda wire, sent: mail.send(wire, server, params, sent))


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
