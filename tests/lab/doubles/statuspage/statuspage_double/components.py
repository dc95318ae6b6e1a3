# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls on components."""

from __future__ import annotations

from .call import Call, Reply
from .page import Page
from .paging import number, only

PER_PAGE = 100


def listed(page: Page, call: Call, strict: bool) -> Reply:
    """GET: all components, groups among them, `per_page` (at most 100) at a time."""
    query = only(call, ("page", "per_page"))
    size = number(query, "per_page", PER_PAGE, PER_PAGE)
    first = (number(query, "page", 1) - 1) * size
    return Reply(200, [dict(item, page_id=page.id) for item in list(page.components.values())[first : first + size]])
