# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which call is whose. `{name}` is a part of the path; every path exists with `.json` at its end as well."""

from __future__ import annotations

from collections.abc import Callable

from double_server.call import Call, Reply

from . import components, incidents, postmortem
from .page import Page

Handler = Callable[[Page, Call, bool], Reply]
"""Takes the page, the call and whether unknown keys are refused."""

_PAGE = "/v1/pages/{page_id}"
_INCIDENT = _PAGE + "/incidents/{incident_id}"

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _PAGE + "/incidents", incidents.listed),
    ("POST", _PAGE + "/incidents", incidents.created),
    # Before the incident with an id, for which the words would be taken.
    *(
        ("GET", f"{_PAGE}/incidents/{state}", incidents.filtered(state))
        for state in ("unresolved", "scheduled", "upcoming", "active_maintenance")
    ),
    ("GET", _INCIDENT, incidents.read),
    ("PATCH", _INCIDENT, incidents.updated),
    ("PUT", _INCIDENT, incidents.updated),
    ("DELETE", _INCIDENT, incidents.deleted),
    ("PATCH", _INCIDENT + "/incident_updates/{update_id}", incidents.edited),
    ("PUT", _INCIDENT + "/incident_updates/{update_id}", incidents.edited),
    ("GET", _INCIDENT + "/postmortem", postmortem.read),
    ("PUT", _INCIDENT + "/postmortem", postmortem.drafted),
    ("DELETE", _INCIDENT + "/postmortem", postmortem.deleted),
    ("PUT", _INCIDENT + "/postmortem/publish", postmortem.published),
    ("PUT", _INCIDENT + "/postmortem/revert", postmortem.reverted),
    ("GET", _PAGE + "/components", components.listed),
    ("POST", _PAGE + "/components", components.created),
    ("DELETE", _PAGE + "/components/{component_id}", components.deleted),
    ("PATCH", _PAGE + "/components/{component_id}", components.updated),
    ("PUT", _PAGE + "/components/{component_id}", components.updated),
)

NOT_YET: tuple[tuple[str, str], ...] = (
    ("GET", _PAGE + "/component-groups"),
    ("GET", _PAGE + "/subscribers"),
)
"""What the vendor has and this level of the double has not: answered with 501."""
