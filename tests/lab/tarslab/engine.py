# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker: the user's own where it works, otherwise a private one that leaves no trace outside the lab's folders."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import netns, private, proc
from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab


@dataclass(frozen=True)
class Engine:
    """A Docker that answers. `env` is what `docker` and kind need to find it (empty for the user's own)."""

    kind: str
    program: Path
    env: dict[str, str] = field(default_factory=dict)
    namespace: str | None = None

    @property
    def is_private(self) -> bool:
        """Whether the lab started this engine and may end it."""
        return self.kind == "private"

    def docker(
        self,
        *arguments: str | Path,
        log: Path | None = None,
        stdin: Path | None = None,
        text: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Run a docker command and return its stdout; see proc.run."""
        argv = [self.program, *arguments]
        return proc.run(argv, env=self.env, log=log, stdin=stdin, text=text, timeout=timeout)

    def exists(self, what: str, name: str) -> bool:
        """Return whether an object (`image`, `container`, `volume`) of that name is there."""
        return proc.succeeds([self.program, what, "inspect", name], env=self.env)


def own() -> Engine | None:
    """Return the user's own Docker if its daemon answers; None where there is none.

    Raises LabError when the user named a daemon (DOCKER_HOST, DOCKER_CONTEXT) that does not answer: taking another
    one silently would not be what was asked for.
    """
    program = shutil.which("docker")
    named = next((n for n in ("DOCKER_HOST", "DOCKER_CONTEXT") if os.environ.get(n)), None)
    if program is None:
        if named:
            raise LabError(
                f"{named} names a Docker, but there is no program `docker` in PATH: install Docker's client."
            )
        return None
    try:
        proc.run([program, "info", "--format", "{{.ServerVersion}}"], timeout=20)
    except proc.CommandError as error:
        if named:
            said = error.output.strip().splitlines()[-1] if error.output.strip() else "nothing"
            raise LabError(
                f"The Docker that {named}={os.environ[named]} names does not answer ({said}): "
                f"start it, or unset {named} to let the lab use its own."
            ) from error
        return None
    return Engine("own", Path(program))


def choose(lab: Lab, before: str | None) -> str:
    """Return which engine this lab uses: what it used `before` as long as it lives, else what the machine offers."""
    if before == "private":
        return before
    if own() is not None:
        return "own"
    if before == "own":
        raise LabError(
            "This lab was started in your own Docker, and that does not answer any more: start Docker, "
            "or run `lab down --purge` to begin with a private one."
        )
    if os.name != "posix" or not Path("/proc/self/ns/net").exists():
        raise LabError("No Docker answers here. A private one is possible on Linux only: start Docker and try again.")
    if os.geteuid() != 0:
        raise LabError(
            "No Docker answers here (`docker info` failed or there is no docker), and a private one needs root: "
            "start Docker for this user, or run the command as root."
        )
    return "private"


def remembered(lab: Lab, noted: object) -> str | None:
    """Return which engine this lab has: as `noted` in its state, or the private one where that runs without a note.

    Somebody may have removed `.lab` from under a running lab; its processes must be found again.
    """
    if isinstance(noted, str):
        return noted
    return "private" if (lab.paths.run / "dockerd.json").exists() else None


def ensure(lab: Lab, kind: str) -> Engine:
    """Return the engine, started if it is the private one and not running."""
    if kind == "own":
        found = own()
        if found is None:
            raise LabError("Your own Docker, in which this lab runs, does not answer: start it and try again.")
        return found
    private.ensure(lab)
    return attached(lab)


def attached(lab: Lab) -> Engine:
    """Return the private engine as it would be reached, whether it runs or not."""
    env = {"DOCKER_HOST": f"unix://{lab.paths.run / 'docker.sock'}", "DOCKER_CONTEXT": ""}
    program = private.program(lab, "docker")
    # kind looks for `docker` in PATH.
    env["PATH"] = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return Engine("private", program, env, lab.identity.name)


def stop(lab: Lab, kind: str) -> None:
    """End what the lab started; the user's own Docker is never touched."""
    if kind == "private":
        private.stop(lab)
        netns.delete(lab.identity.name)
