# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of artifacts share: how they look at a release, and what a release consists of."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from tars_servers import RegistryServer

BOM = {"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": {"component": {"name": "tars", "version": "1.0.1"}}}
Look = Callable[..., Mapping[str, Any]]


def hexdigest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def seal(folder: Path) -> None:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS" and path.suffix != ".sig"
    ]
    done = subprocess.run(
        ["sha256sum", *(str(path.relative_to(folder)) for path in files)], cwd=folder, capture_output=True, check=True
    )
    (folder / "SHA256SUMS").write_bytes(done.stdout)


def fault(look: Look, **change: Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        look(**change)
    return caught.value


def image(registry: RegistryServer, digest: str, tag: str = "v1.0.1", repository: str = "tars/api") -> dict[str, str]:
    return {"name": "api", "image": f"{registry.address}/{repository}:{tag}", "digest": digest}
