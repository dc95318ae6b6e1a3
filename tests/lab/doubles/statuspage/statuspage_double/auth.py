# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Authorization header: `OAuth <key>`, nothing else."""

from __future__ import annotations

import hmac

from double_server.call import Call, unauthorized


def check(call: Call, token: str, strict: bool) -> None:
    """Refuse the call with 401 unless it carries the token in the one right way.

    `?api_key=` works at the vendor, and is taken when the double is not strict. Strict it is refused, because keys in
    URLs end up in logs.
    """
    if any(name == "api_key" for name, _value in call.query):
        if strict:
            raise unauthorized("the key is in the URL")
        call.problems.append("the key is in the URL")
        given = dict(call.query)["api_key"]
        call.query = [pair for pair in call.query if pair[0] != "api_key"]
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise unauthorized("wrong key")
        return
    given = call.headers.get("Authorization", "")
    if not given:
        raise unauthorized("no Authorization header")
    scheme, _space, key = given.partition(" ")
    if scheme != "OAuth":
        raise unauthorized(f"the scheme word is {scheme[:20]!r}, not 'OAuth'")
    if not hmac.compare_digest(key.encode(), token.encode()):
        raise unauthorized("wrong key")
