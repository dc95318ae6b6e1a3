# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How the modules of the status page reach it: their common options, and the port made of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http import Options
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._status.page import Limits, StatusPage

API_URL = "https://api.statuspage.io/v1"


def statuspage_options() -> dict[str, Any]:
    """The options of the doc fragment statuspage."""
    return {
        "page_id": {"type": "str", "required": True},
        "api_key": {"type": "str", "required": True, "no_log": True, "aliases": ["api_token"]},
        "api_url": {"type": "str", "default": API_URL},
        "ca": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "float", "default": 90.0},
        "rate_limit_max_wait": {"type": "float", "default": 60.0},
        "lookup_max_pages": {"type": "int", "default": 20},
    }


def connect(call: Call) -> StatusPage:
    """The port for this call."""
    params = call.params
    for name in ("page_id", "api_key"):
        if not params[name].strip():
            raise RolloutError(
                f"{name} is empty", reason="status_invalid", hint=f"Give {name}, from the settings of the status page"
            )
    for name, least in (("timeout", 0.1), ("rate_limit_max_wait", 0.0), ("lookup_max_pages", 1)):
        if not least <= params[name] < 1e6:
            raise RolloutError(
                f"{name} is {params[name]:g}", reason="status_invalid", hint=f"Give a number of at least {least:g}"
            )
    options = Options(
        params["api_url"],
        # The scheme word is the vendor's own.
        {"Authorization": f"OAuth {params['api_key']}"},
        ca=params["ca"],
        validate_certs=params["validate_certs"],
    )
    limits = Limits(params["timeout"], params["rate_limit_max_wait"], params["lookup_max_pages"])
    return StatusPage(options, params["page_id"], limits, call.clock, call.scrubber)
