# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import settings

# No example has a time limit: on a busy machine the first one would fail without a fault.
settings.register_profile("any speed", deadline=None)
settings.load_profile("any speed")
