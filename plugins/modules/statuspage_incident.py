#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: statuspage_incident
short_description: Keep one incident or maintenance on an Atlassian Statuspage as it should be
description:
  - Keeps one incident by a stable O(key), so that the same task may run again and posts nothing twice.
  - The incident is found by its key, which stands in its metadata, or by O(incident_id). It is never found by its name,
    unless O(adopt) says so.
  - Only what differs is written. Times are compared as moments, and a text is published when the status changes or when
    the newest update of that status says something else.
  - A creation that brought no answer is not repeated blindly. The list is read again first, since a second incident
    would be public.
  - When a search is incomplete, two incidents have the key, or the key belongs to the other kind, nothing is written.
    The list is read up to the page with the key. Of two that lie more than 100 incidents apart the newer one is taken.
  - "Not done yet: templates, subscribers, the service's own scheduling of reminders (C(scheduled_remind_prior))."
extends_documentation_fragment:
  - tars.rollout.statuspage
attributes:
  check_mode:
    description: Reads and plans as always, and writes nothing.
    support: full
  diff_mode:
    description: Shows the fields that change.
    support: full
options:
  kind:
    description:
      - What it is; each kind has its own statuses, window and fields.
      - Required unless O(incident_id) is given.
    type: str
    choices: [realtime, maintenance, historical]
  key:
    description:
      - A text that stays the same for this incident, such as C(tars-v1.0.1-ga). It is kept in C(metadata.tars.key).
      - Required unless O(incident_id) is given.
    type: str
  incident_id:
    description: Id of the incident, which is then read directly. None is made when it does not exist.
    type: str
  state:
    description: Whether the incident is to be there. V(absent) needs O(allow_delete).
    type: str
    choices: [present, absent]
    default: present
  allow_delete:
    description: Allow V(absent) to delete a public incident with its history.
    type: bool
    default: false
  name:
    description: Title, at most 255 characters. Needed to make an incident.
    type: str
  status:
    description:
      - V(investigating), V(identified), V(monitoring) and V(resolved) for V(realtime) and V(historical).
      - V(scheduled), V(in_progress), V(verifying) and V(completed) for V(maintenance).
    type: str
    choices:
      - investigating
      - identified
      - monitoring
      - resolved
      - scheduled
      - in_progress
      - verifying
      - completed
  reopen:
    description: Allow to leave V(resolved) or V(completed). Without it that is an error.
    type: bool
    default: false
  body:
    description: Text of the public update, at most 25000 characters.
    type: str
  impact_override:
    description: The impact to show.
    type: str
    choices: [none, maintenance, minor, major, critical]
  impact:
    description: Refused, because the service computes it. Use O(impact_override).
    type: raw
  scheduled_for:
    description: Start of the window with its time zone, such as C(2026-01-31T02:00:00Z). Only for V(maintenance).
    type: str
  scheduled_until:
    description: End of the window, after its start.
    type: str
  auto_transition:
    description:
      - V(true), the service moves incident and components at start and end of the window, without notifications.
      - A status that the service has moved on from by itself is then not set again.
      - Without this option the settings stay as they are.
    type: bool
  component_ids:
    description: Ids of all components that the incident touches, without a change of their status.
    type: list
    elements: str
  components:
    description: Id and status of components to set with this change.
    type: dict
  restore_components:
    description:
      - With V(resolved) or V(completed), set the components that the incident touches back to operational.
      - Of a maintenance that is completed already only those that are still under maintenance.
    type: bool
    default: false
  validate_components:
    description:
      - Read the components first and refuse unknown ids.
      - Always done when one does not look like an id (12 lower-case letters or digits).
    type: bool
    default: false
  deliver_notifications:
    description: Notify all subscribers of this change. It is always sent, since the service's own default is V(true).
    type: bool
    default: false
  adopt:
    description:
      - V(name), take over the open incident of the same name and kind that has no key, and write the key.
      - Where there is none, one is made as always, also beside one of that name with another key.
    type: str
    choices: [name]
  reminder_intervals:
    description: Hours from 1 to 24, one number or a list that rises; an empty list for none. Only for V(realtime).
    type: raw
  backfill_date:
    description: Day of a historical incident, such as C(2026-01-31). Needed to make one.
    type: str
  postmortem:
    description: The postmortem of the incident.
    type: dict
    suboptions:
      body:
        description: Its text.
        type: str
        required: true
      publish:
        description: Whether to publish it; otherwise it stays a draft.
        type: bool
        default: false
      notify_subscribers:
        description: Notify all subscribers when it is published.
        type: bool
        default: false
  edit_update:
    description: Correct an update that is published already.
    type: dict
    suboptions:
      update_id:
        description: Id of the update.
        type: str
        required: true
      body:
        description: The new text.
        type: str
        required: true
notes:
  - The service allows one call per second and key. Calls that it turns away with 420 or 429 are repeated after the time
    that it asks for; calls are not spread beforehand.
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Announce the deployment window
  tars.rollout.statuspage_incident:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    kind: maintenance
    key: tars-v1.0.1-ga
    name: T.A.R.S. v1.0.1 Production Deployment
    status: scheduled
    body: We are deploying T.A.R.S. v1.0.1. No downtime expected.
    scheduled_for: "2025-11-20T02:00:00Z"
    scheduled_until: "2025-11-20T03:00:00Z"
    component_ids: [8kbf7d35c070, vtnh60py4yd7]
    impact_override: maintenance

- name: End the window and restore the components in one call
  tars.rollout.statuspage_incident:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    kind: maintenance
    key: tars-v1.0.1-ga
    status: completed
    body: Done.
    restore_components: true
    deliver_notifications: true

- name: Tell of a rollback
  tars.rollout.statuspage_incident:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    kind: realtime
    key: tars-v1.0.1-ga-rollback
    name: T.A.R.S. v1.0.1 rollback
    status: identified
    body: We have rolled back to v1.0.0.
    impact_override: minor
"""

RETURN = r"""
incident_id: {description: Id of the incident; V(not yet) in check mode., returned: success, type: str}
shortlink: {description: Public address of the incident., returned: success, type: str}
status: {description: Its status now., returned: success, type: str, sample: scheduled}
incident:
  description: What else is known of it.
  returned: success
  type: dict
  contains:
    id: {description: Id., type: str}
    name: {description: Title., type: str}
    status: {description: Status., type: str}
    impact: {description: Impact as computed by the service., type: str}
    impact_override: {description: Impact that is shown in its place., type: str}
    shortlink: {description: Public address., type: str}
    scheduled_for: {description: Start of the window., type: str}
    scheduled_until: {description: End of the window., type: str}
    created_at: {description: When it was made., type: str}
    updated_at: {description: When it was changed last., type: str}
    resolved_at: {description: When it ended., type: str}
done:
  description: What was changed, in order.
  returned: success
  type: list
  elements: str
  sample: [created]
calls: {description: Calls to the service., returned: success, type: int}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: key_not_unique}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._status.words import IMPACTS, MAINTENANCE, REALTIME
from ansible_collections.tars.rollout.plugins.module_utils._statuspage import statuspage_options
from ansible_collections.tars.rollout.plugins.module_utils._statuspage_incident import run


def spec() -> dict[str, Any]:
    postmortem = {
        "body": {"type": "str", "required": True},
        "publish": {"type": "bool", "default": False},
        "notify_subscribers": {"type": "bool", "default": False},
    }
    edit_update = {"update_id": {"type": "str", "required": True}, "body": {"type": "str", "required": True}}
    return {
        **statuspage_options(),
        "kind": {"type": "str", "choices": ["realtime", "maintenance", "historical"]},
        "key": {"type": "str", "no_log": False},
        "incident_id": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "allow_delete": {"type": "bool", "default": False},
        "name": {"type": "str"},
        "status": {"type": "str", "choices": [*REALTIME, *MAINTENANCE]},
        "reopen": {"type": "bool", "default": False},
        "body": {"type": "str"},
        "impact_override": {"type": "str", "choices": list(IMPACTS)},
        "impact": {"type": "raw"},
        "scheduled_for": {"type": "str"},
        "scheduled_until": {"type": "str"},
        "auto_transition": {"type": "bool"},
        "component_ids": {"type": "list", "elements": "str"},
        "components": {"type": "dict"},
        "restore_components": {"type": "bool", "default": False},
        "validate_components": {"type": "bool", "default": False},
        "deliver_notifications": {"type": "bool", "default": False},
        "adopt": {"type": "str", "choices": ["name"]},
        "reminder_intervals": {"type": "raw"},
        "backfill_date": {"type": "str"},
        "postmortem": {"type": "dict", "options": postmortem},
        "edit_update": {"type": "dict", "options": edit_update},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
