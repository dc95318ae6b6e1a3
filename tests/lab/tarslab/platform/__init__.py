# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform under T.A.R.S.: mesh, Prometheus, PostgreSQL, Redis and the double of Statuspage."""

from __future__ import annotations

from .databases import Database, ensure_database
from .health import status
from .install import up

__all__ = ["Database", "ensure_database", "status", "up"]
