# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The T.A.R.S. services of the lab: one small program that plays each of them."""

import os

# A `_created` series beside each counter would double what Prometheus stores; the library reads this at its import.
os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "true")
