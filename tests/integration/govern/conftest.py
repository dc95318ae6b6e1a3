# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in a folder, a real registry, and release_artifacts to look at both."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _release_artifacts
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from tars_servers import RegistryServer

from .artifact_tools import BOM, Look, seal


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with a chart, a bill of materials, a migration, and the manifest of all three."""
    folder = tmp_path / "release"
    (folder / "migrations").mkdir(parents=True)
    with tarfile.open(folder / "tars-1.0.1.tgz", "w:gz") as archive:
        for name, text in (
            ("tars/Chart.yaml", "name: tars\nversion: 1.0.1\nappVersion: v1.0.1\n"),
            ("tars/charts/x/Chart.yaml", "name: x\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    (folder / "bom.json").write_text(json.dumps(BOM))
    (folder / "migrations" / "v1.sql").write_text("create index concurrently i on t (c);\n")
    seal(folder)
    return folder


@pytest.fixture
def look(release: Path) -> Look:
    def act(client: Any = None, **change: Any) -> Mapping[str, Any]:
        params = {
            "folder": str(release), "sums": "SHA256SUMS", "files": {}, "whole": [], "chart": None,
            "images": [], "pull": True,
            "registry": {"plain_http": True, "timeout": 5.0}, "signatures": [], "signing_key": None,
            "image_key": None, "sboms": [], "version": "1.0.1", "forbid_severities": [], "pods": False,
            "need_images": False, "services": [],
            "namespace": "tars", "label_selector": "", "region": "", **change,
        }  # fmt: skip
        stop = Stop()
        return _release_artifacts.run(
            Call(params, False, print, SystemClock(stop), stop, Progress(), Scrubber()), client
        )

    return act
