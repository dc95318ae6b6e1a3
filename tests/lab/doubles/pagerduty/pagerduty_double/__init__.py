# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PagerDuty's Events API v2 and its change events, as a plug-in of double_server.

`plugin` has the calls and the alerts by routing key and dedup key, `pagerduty.yaml` the contract. Any routing key of 32
characters belongs to a service here: nothing but the key says which, and what is sent with another one goes elsewhere.
"""

from __future__ import annotations
