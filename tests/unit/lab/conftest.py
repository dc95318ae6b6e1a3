# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The helpers beside the tests (load_gateway, statuspage_client) are importable under every import mode.
HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from statuspage_client import Client, start, stop  # noqa: E402


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One Statuspage double for all tests."""
    process, root = start(tmp_path_factory.mktemp("double"))
    yield Client(root)
    stop(process)


@pytest.fixture
def page(served: Client) -> Client:
    """The double with a new page and an empty journal."""
    served.control("POST", "reset")
    return served


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is called too slow: the machine may be busy with other tests, and these look at what runs count."""
    monkeypatch.setattr("tarslab.load.summary.LATE", 60.0)
