# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three regions for the real playbooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kube_api import KubeApi, serve
from regions_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    api = KubeApi()
    server = serve(api)
    try:
        yield World(tmp_path, api).make()
    finally:
        server.shutdown()
        server.server_close()
