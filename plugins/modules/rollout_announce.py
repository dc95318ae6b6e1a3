#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_announce
short_description: Tell one event of a rollout to all receivers at once, under one budget
description:
  - Speaks to all receivers at the same time and comes back when all are told, or when O(budget) is spent, whichever is
    first. A receiver that hangs or is down costs at most the budget and is no failure; the result says so, and
    the message
    waits in O(sent_file) to be tried again with O(retry).
  - What was told is kept in O(sent_file) with its ids. An event that was told is not told again; a message that stands
    in a receiver is brought up to date instead of being sent anew.
  - What a receiver refuses for good does not wait.
  - The role P(tars.rollout.announce#role) makes the messages from templates.
attributes:
  check_mode:
    description: Says what would be told, and tells nothing. The status page is read.
    support: full
  diff_mode:
    description: Shows what was told before and what is told now.
    support: full
options:
  receivers:
    description: Who can be told.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Its name here., type: str, required: true}
      type:
        description: What it is.
        type: str
        required: true
        choices: [statuspage, slack, pagerduty, mail, github, alertmanager]
      public:
        description: Whether everybody reads it, so that O(may_speak) decides. A status page is public by itself.
        type: bool
      url: {description: Address of its API; the vendor's own by default. Needed for Alertmanager., type: str}
      token: {description: "Key or token for the status page, Slack, GitHub or Alertmanager.", type: str}
      webhook: {description: Address of an incoming webhook of Slack in place of a token., type: str}
      routing_key: {description: Integration key of PagerDuty., type: str}
      region:
        description: Where the PagerDuty account lives.
        type: str
        choices: [us, eu]
        default: us
      page_id: {description: Id of the status page., type: str}
      repository: {description: Repository on GitHub as owner/name., type: str}
      host: {description: Mail server., type: str}
      port: {description: Its port., type: int, default: 587}
      tls:
        description: Its TLS policy, as of M(tars.rollout.mail_notice).
        type: str
        choices: [required, if_offered, implicit, never]
        default: required
      user: {description: Login of the mail server., type: str}
      password: {description: Its password., type: str}
      sender: {description: Sender of mails., type: str}
      ca: {description: Path of a bundle of certificates to trust., type: path}
      validate_certs: {description: Whether to check its certificate., type: bool, default: true}
  messages:
    description: What to tell, in order; messages of one receiver follow one another, receivers are spoken to at once.
    type: list
    elements: dict
    default: []
    suboptions:
      to: {description: Name of the receiver., type: str, required: true}
      key:
        description: Stands for the message on the other side (incident, thread, alert, mail, deployment, silence).
        type: str
        required: true
      event: {description: "Stands for the event, such as C(us-west-2/started).", type: str, default: ""}
      content:
        description: What to say, in the options of the module for this type of receiver.
        type: dict
        required: true
  may_speak:
    description: Whether public messages may be sent. Only the run that holds the lease of the rollout may.
    type: bool
    default: true
  lease:
    description:
      - The lease of the run, of which is asked before each public message whether this run still holds it. Without it
        O(may_speak) alone decides.
      - Who holds it no more withholds the message. When it cannot be read, the message is withheld too, and waits.
    type: dict
    suboptions:
      kubeconfig: {description: Kubeconfig of the cluster where it stands., type: path}
      context: {description: Context in it., type: str}
      namespace: {description: Its namespace., type: str, required: true}
      app: {description: Name of the application., type: str, required: true}
      holder: {description: "Who this run is, as M(tars.rollout.rollout_lease) returns it.", type: str, required: true}
  retry:
    description:
      - Try first again what could not be told before. What something newer was told after is dropped, and so is what is
        refused for good.
    type: bool
    default: false
  budget:
    description: Seconds for all of it.
    type: float
    default: 10.0
  sent_file:
    description: Path of the file of what was sent, beside the ledger.
    type: path
  ledger:
    description: Path of the ledger, where a line says what came of it.
    type: path
  region:
    description: The region, for the ledger and live lines.
    type: str
  release:
    description: The release, for the ledger.
    type: str
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Tell that a stage has passed
  tars.rollout.rollout_announce:
    receivers:
      - name: status page
        type: statuspage
        page_id: kctbh9vrtdwd
        token: "{{ statuspage_api_key }}"
      - name: deployments
        type: slack
        token: "{{ slack_token }}"
    messages:
      - to: status page
        key: tars-1.0.1
        event: us-west-2/stage_passed/backend[0]
        content: {kind: maintenance, status: in_progress, body: Canary at 1 % in us-west-2.}
      - to: deployments
        key: tars-1.0.1
        event: us-west-2/stage_passed/backend[0]
        content: {channel: C0DEPLOY0001, text: "T.A.R.S. 1.0.1: us-west-2 at 1 %", reply: Stage backend 1 % passed}
    sent_file: build/rollout/1.0.1/announced.json
"""

RETURN = r"""
results:
  description: What came of each message.
  returned: success
  type: list
  elements: dict
  contains:
    receiver: {description: Name of the receiver., type: str}
    key: {description: Key of the message., type: str}
    event: {description: The event., type: str}
    act:
      description: sent, updated, resolved, removed, unchanged, withheld (this run may not speak), superseded or failed.
      type: str
    changed: {description: Whether something was sent., type: bool}
    msg: {description: What went wrong., type: str}
    reason: {description: Stable code of it., type: str}
    waiting: {description: Whether it waits to be tried again., type: bool}
    again: {description: Whether it had waited., type: bool}
    elapsed: {description: Seconds that it took., type: float}
not_told: {description: Names of receivers that were not told., returned: success, type: list, elements: str}
waiting: {description: Number of messages that wait., returned: success, type: int}
elapsed: {description: Seconds for all of it., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: message_invalid}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce.receivers import receiver_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_announce import run


def spec() -> dict[str, Any]:
    message = {
        "to": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "event": {"type": "str", "default": ""},
        "content": {"type": "dict", "required": True},
    }
    lease = {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "app": {"type": "str", "required": True},
        "holder": {"type": "str", "required": True},
    }
    return {
        "receivers": {"type": "list", "elements": "dict", "required": True, "options": receiver_options()},
        "messages": {"type": "list", "elements": "dict", "default": [], "options": message},
        "may_speak": {"type": "bool", "default": True},
        "lease": {"type": "dict", "options": lease},
        "retry": {"type": "bool", "default": False},
        "budget": {"type": "float", "default": 10.0},
        "sent_file": {"type": "path"},
        "ledger": {"type": "path"},
        "region": {"type": "str"},
        "release": {"type": "str"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
