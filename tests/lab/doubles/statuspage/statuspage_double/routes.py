# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which call is whose. `{name}` is a part of the path; every path exists with `.json` at its end as well."""

from __future__ import annotations

from collections.abc import Callable

from . import components, incidents
from .call import Call, Reply
from .page import Page

Handler = Callable[[Page, Call, bool], Reply]
"""Takes the page, the call and whether unknown keys are refused."""

_PAGE = "/v1/pages/{page_id}"
_INCIDENT = _PAGE + "/incidents/{incident_id}"

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _PAGE + "/incidents", incidents.listed),
    ("POST", _PAGE + "/incidents", incidents.created),
    ("GET", _INCIDENT, incidents.read),
    ("PATCH", _INCIDENT, incidents.updated),
    ("PUT", _INCIDENT, incidents.updated),
    ("GET", _PAGE + "/components", components.listed),
)

NOT_YET: tuple[tuple[str, str], ...] = (
    ("GET", _PAGE + "/incidents/unresolved"),
    ("GET", _PAGE + "/incidents/scheduled"),
    ("GET", _PAGE + "/incidents/upcoming"),
    ("GET", _PAGE + "/incidents/active_maintenance"),
    ("DELETE", _INCIDENT),
    ("PATCH", _INCIDENT + "/incident_updates/{update_id}"),
    ("GET", _INCIDENT + "/postmortem"),
    ("PUT", _INCIDENT + "/postmortem"),
    ("DELETE", _INCIDENT + "/postmortem"),
    ("PUT", _INCIDENT + "/postmortem/publish"),
    ("PUT", _INCIDENT + "/postmortem/revert"),
    ("POST", _PAGE + "/components"),
    ("PATCH", _PAGE + "/components/{component_id}"),
    ("DELETE", _PAGE + "/components/{component_id}"),
    ("GET", _PAGE + "/component-groups"),
    ("GET", _PAGE + "/subscribers"),
)
"""What the vendor has and this level of the double has not: answered with 501."""
