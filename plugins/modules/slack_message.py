#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: slack_message
short_description: Post a message to Slack once, and update it after that
description:
  - Posts with the Web API and keeps C(channel) and C(ts) in O(sent_file) under O(key); the next time the same message
    is updated, and nothing is sent when it says the same.
  - A post that brought no answer is not repeated, since nobody knows whether it is there. Rate limits are waited for.
  - With O(webhook) a message can only be posted. No id comes back, so it is never updated.
extends_documentation_fragment:
  - tars.rollout.announce
options:
  key:
    description: A text that stays the same for this message.
    type: str
    required: true
  token:
    description: The bot's token, which begins with C(xoxb-). This or O(webhook).
    type: str
  webhook:
    description: The secret address of an incoming webhook.
    type: str
  base_url:
    description: Address of the Web API.
    type: str
    default: https://slack.com/api
  channel:
    description: Id or name of the channel. Needed with O(token).
    type: str
  text:
    description: The text. With O(blocks) it is what notifications show.
    type: str
    required: true
  markup:
    description: V(plain) escapes what would begin markup; with V(mrkdwn) the text is sent as it is.
    type: str
    choices: [plain, mrkdwn]
    default: plain
  blocks:
    description: Blocks as Slack describes them, at most 50.
    type: list
    elements: dict
    default: []
  ts:
    description: Update this message, when O(sent_file) does not know it.
    type: str
  thread_ts:
    description: Post into the thread of this message.
    type: str
"""

EXAMPLES = r"""
- name: Tell that the rollout begins
  tars.rollout.slack_message:
    token: "{{ slack_token }}"
    channel: C0DEPLOY0001
    key: tars/1.0.1
    text: "T.A.R.S. 1.0.1: canary at 1 %"
    sent_file: build/rollout/1.0.1/announced.json
  register: told

- name: Tell of a stage in its thread
  tars.rollout.slack_message:
    token: "{{ slack_token }}"
    channel: "{{ told.channel }}"
    thread_ts: "{{ told.ts }}"
    key: tars/1.0.1/us-west-2/backend[0]
    text: "us-west-2 backend: 1 % passed"
    sent_file: build/rollout/1.0.1/announced.json
"""

RETURN = r"""
act: {description: "sent, updated or unchanged.", returned: success, type: str, sample: sent}
channel: {description: Id of the channel., returned: when it was sent, type: str}
ts: {description: Slack's id of the message in its channel., returned: when it was sent with a token, type: str}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: slack_refused}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce import slack
from ansible_collections.tars.rollout.plugins.module_utils._message import message_options, send_one
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module


def spec() -> dict[str, Any]:
    return {
        **message_options(),
        "key": {"type": "str", "required": True, "no_log": False},
        "token": {"type": "str", "no_log": True},
        "webhook": {"type": "str", "no_log": True},
        "base_url": {"type": "str", "default": slack.API},
        "channel": {"type": "str"},
        "text": {"type": "str", "required": True},
        "markup": {"type": "str", "choices": ["plain", "mrkdwn"], "default": "plain"},
        "blocks": {"type": "list", "elements": "dict", "default": []},
        "ts": {"type": "str"},
        "thread_ts": {"type": "str"},
    }


def run(call: Call) -> Mapping[str, Any]:
    params = call.params
    place = slack.Slack(params["token"] or "", params["webhook"] or "", params["base_url"])
    text = params["text"] if params["markup"] == "mrkdwn" else slack.escaped(params["text"])
    wanted = {**{name: params[name] for name in ("channel", "blocks", "thread_ts")}, "text": text}
    given = {"channel": params["channel"], "ts": params["ts"]} if params["ts"] else {}
    return send_one(
        call, "slack_message", params["key"], lambda wire, sent: slack.say(wire, place, wanted, sent or given)
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=spec(),
        supports_check_mode=True,
        required_one_of=[("token", "webhook")],
        mutually_exclusive=[("token", "webhook"), ("webhook", "ts"), ("webhook", "thread_ts")],
        required_by={"token": ("channel",), "ts": ("channel",)},
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
