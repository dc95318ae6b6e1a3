# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server for doubles of services that nobody can install: what is common to all of them.

A plug-in is one API (`api.Api`): its calls, its rules, its state, and an OpenAPI document of our own that says what may
be asked and what is answered. It promises what the vendor's documents promise and nothing else: where they are
silent it
refuses, so that nobody comes to rely on a guess. State lives in memory. Files, from the outside in:

http        aiohttp (3.8 and later) in, `call.Call` out of it; the only file that knows aiohttp
server      who a call is for, and what holds for every call: login, faults, the limit of calls, contract, journal
contract    requests and answers against the plug-in's OpenAPI document; the only file that knows openapi-core
trouble     faults that a test plants, and limits of calls
clock       time, which a test can move on
journal     what was asked and answered, never a key
control     the double's own calls under /_double
view        the page for a person
call, body, paging   requests, answers, bodies, query parameters
"""

from __future__ import annotations
