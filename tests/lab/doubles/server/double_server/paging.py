# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query parameters: the known ones only, and page numbers that make sense."""

from __future__ import annotations

from .call import Call, invalid


def only(call: Call, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query as a dict; parameters that the vendor's documents do not name for this call are refused."""
    names = [name for name, _value in call.query]
    errors = {name: ["is no parameter of this call"] for name in names if name not in known}
    errors |= {name: ["is given twice"] for name in known if names.count(name) > 1}
    if errors:
        raise invalid(errors)
    return dict(call.query)


def number(query: dict[str, str], name: str, default: int, most: int = 1_000_000) -> int:
    """Read a whole number from 1 to `most`. What the vendor does with others is not documented: refused."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most):
        raise invalid({name: [f"must be a whole number from 1 to {most}"]})
    return int(text)
