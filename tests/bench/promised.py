# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a bench ends: a figure that is not as promised is named, and the exit code says so."""

from __future__ import annotations

import sys
from collections.abc import Iterable

Promise = tuple[str, bool]


def at_most(figure: float | None, bound: float) -> bool:
    """A figure that is not there keeps no promise."""
    return figure is not None and figure <= bound


def ended(promises: Iterable[Promise]) -> int:
    """Says on stderr which promises were missed; 1 if any was, else 0."""
    missed = [text for text, kept in promises if not kept]
    print(f"MISSED: {', '.join(missed)}" if missed else "as promised", file=sys.stderr)
    return int(bool(missed))
