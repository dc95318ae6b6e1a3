# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack: chat.postMessage, chat.update, auth.test and incoming webhooks, as a plug-in of double_server.

`plugin` has the calls, `slack.yaml` the contract. Refusals of the Web API are HTTP 200 with `ok: false`, as at
the vendor;
webhooks answer in plain text.
"""

from __future__ import annotations
