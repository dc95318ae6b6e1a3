# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict double of the Statuspage manage API (v1), for incidents, postmortems and components.

It promises what the vendor's documents promise and nothing else: where they are silent the double refuses, so that
nobody comes to rely on a guess. State lives in memory. Files, from the outside in:

server      HTTP (aiohttp, 3.8 and later) in, `call.Call` out of it; the only file that knows aiohttp
routes      which method and path is whose; what is not done yet answers 501
auth        the Authorization header
body        JSON and form bodies
fields      the table of fields that may be written, each with its own check
rules       what holds between fields: status family, window, backfill, reminders, metadata
incidents, postmortem, components   the calls themselves
trouble     faults that a test plants, and the limit of calls per key
page        the state; `journal` what was asked; `control` the double's own calls under /_double
"""

from __future__ import annotations
