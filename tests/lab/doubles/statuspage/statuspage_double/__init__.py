# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage manage API (v1), for incidents, postmortems and components, as a plug-in of double_server.

plugin      the plug-in: what holds for every call
routes      which method and path is whose; what is not done answers 501
auth        the Authorization header
fields      the table of fields that may be written, each with its own check
rules       what holds between fields: status family, window, backfill, reminders, metadata
incidents, postmortem, components   the calls themselves
page        the state
statuspage.yaml   the contract
"""

from __future__ import annotations
