# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of lease, keeper and overview share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cluster import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
