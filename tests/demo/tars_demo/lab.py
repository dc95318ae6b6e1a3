# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as the demo needs it: up, its addresses, what runs there, releases for it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store

from .child import Ended, Show, run

THREE = ("staging", "us_west_2", "us_east_1")
ALL = (*THREE, "eu_west_1", "ap_southeast_1")
DEPLOYMENTS = _kube.Kind("apps/v1", "deployments")


class DemoLab:
    """The lab of this checkout."""

    def __init__(self, root: Path, log: Path, show: Show) -> None:
        self.program = root / "tests" / "lab" / "lab"
        self._env_file = root / ".lab" / "env.json"
        self._log = log
        self._show = show

    def up(self, regions: Sequence[str]) -> bool:
        """Bring up what is missing of it; says whether it was down before."""
        was_down = run([str(self.program), "status", "--quiet"], self._log, lambda line: None).code != 0
        words = ["--regions", ",".join(regions)] if set(regions) - set(THREE) else []
        self._do("up", *words)
        missing = set(regions) - set(self.env["LAB_REGIONS"].split(","))
        if missing:
            raise Ended(f"The lab is up without {', '.join(sorted(missing))}: tests/lab/lab up --regions adds regions.")
        return was_down

    def down(self) -> None:
        """Take it down; what was built stays in the cache."""
        self._do("down")

    def release(self, version: str, *faults: str) -> None:
        """Make an image of this release and load it into the nodes."""
        self._do("release", version, *(word for fault in faults for word in ("--fault", fault)))

    @property
    def env(self) -> dict[str, str]:
        """What `lab env` says."""
        found: dict[str, str] = json.loads(self._env_file.read_text(encoding="utf-8"))
        return found

    def stable(self, region: str) -> str:
        """The release that a region's api runs as stable."""
        found = self._client(region).get(DEPLOYMENTS, _namespace(region), "api")
        image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return re.split(r"[:@]", image.rpartition("/")[2])[-1]

    def recorded(self, region: str) -> tuple[str, bool]:
        """The release that a region's record tells of, empty without one, and whether it is still under way."""
        record = Store(self._client(region), _namespace(region), "tars").read().record
        return (record.release, not record.final) if record else ("", False)

    def _client(self, region: str) -> _kube.Client:
        return _kube.from_kubeconfig(self.env[f"LAB_KUBECONFIG_{region.upper()}"], "", Scrubber())

    def _do(self, *words: str) -> None:
        if run([str(self.program), *words], self._log, self._show).code:
            raise Ended(f"`lab {words[0]}` failed; see above and {self._log}.")


def next_release(known: Sequence[str]) -> tuple[str, str]:
    """Names for a good and a bad release, above every one that is known: 1.0.4 and 1.0.5-bad after 1.0.3."""
    patches = [int(found[1]) for name in known if (found := re.fullmatch(r"1\.0\.(\d+)(?:-bad)?", name))]
    newest = max(patches, default=0)
    return f"1.0.{newest + 1}", f"1.0.{newest + 2}-bad"


def _namespace(region: str) -> str:
    return f"tars-{region.replace('_', '-')}"
