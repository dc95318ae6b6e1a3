# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Docker: Debian's programs, unpacked in the cache, running in the lab's network namespace."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, daemons, debtree, files, netns, proc
from .identity import INNER_PORTS

if TYPE_CHECKING:
    from .context import Lab


def programs(lab: Lab) -> Path:
    """Return the folder with docker, dockerd, containerd and runc; they are fetched from Debian the first time."""
    pins = lab.pins
    name = "engine-" + files.digest(pins.engine.suite, *pins.engine.packages, *pins.engine_host_packages)
    return cache.artefact(lab, "programs", name, lambda folder: _fetch(lab, folder))


def program(lab: Lab, name: str) -> Path:
    """Return one of the engine's programs."""
    root = programs(lab)
    for place in ("usr/bin", "usr/sbin"):
        if (root / place / name).exists():
            return root / place / name
    raise FileNotFoundError(f"{name} is not among the engine's programs in {root}")


def ensure(lab: Lab) -> None:
    """Start whatever of the private engine is not running, and wait until it answers."""
    run = lab.paths.run
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    netns.ensure(lab.identity.name)
    _containerd(lab)
    _dockerd(lab)


def stop(lab: Lab) -> None:
    """End the engine's processes, the last started first."""
    for name in ("forward", "dockerd", "containerd"):
        daemons.stop(lab.paths.run / f"{name}.json", patience=30)


def node_note(lab: Lab) -> Path:
    """The file that tells the forwarder the node's address."""
    return lab.paths.run / "node"


def forward(lab: Lab) -> None:
    """Start the forwarder for all ports of the lab unless it runs."""
    note = lab.paths.run / "forward.json"
    if daemons.alive(note) is not None:
        return
    log = lab.paths.logs / "forward.log"
    ports = list(lab.ports.values())
    words = [f"{port}:{INNER_PORTS.get(name, '')}" for name, port in lab.ports.items()]
    env = {"PYTHONPATH": str(lab.paths.source)}
    daemons.start(note, [sys.executable, "-m", "tarslab.forward", lab.identity.name, node_note(lab), *words], log, env)
    check = [sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {ports[-1]}), 2)"]
    daemons.wait_until(None, note, check, log, 15)


def _fetch(lab: Lab, folder: Path) -> None:
    pins = lab.pins
    with lab.console.step("fetching a private Docker from Debian (unpacked, not installed)", 12):
        debtree.unpack(lab, pins.engine.suite, pins.engine.packages, folder)
        debtree.unpack(lab, debtree.host_suite(), pins.engine_host_packages, folder)


def _containerd(lab: Lab) -> None:
    run, data = lab.paths.run, lab.paths.engine / "containerd"
    note, socket = run / "containerd.json", run / "containerd.sock"
    if daemons.alive(note) is not None and socket.exists():
        return
    daemons.stop(note)
    socket.unlink(missing_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    config = run / "containerd.toml"
    # Kubernetes' plugin is of no use here; the file also keeps a configuration of the machine's own away.
    files.write_atomic(
        config,
        "version = 2\n"
        f"root = {json.dumps(str(data))}\nstate = {json.dumps(str(run / 'containerd'))}\n"
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f"[grpc]\naddress = {json.dumps(str(socket))}\n",
    )
    log = lab.paths.logs / "containerd.log"
    daemons.start(note, [*_inside(lab), program(lab, "containerd"), "--config", config], log, _env(lab))
    check: list[str | Path] = [program(lab, "ctr"), "--address", socket, "version"]
    daemons.wait_until(socket, note, check, log, 30)


def _dockerd(lab: Lab) -> None:
    run, data = lab.paths.run, lab.paths.engine / "docker"
    note, socket = run / "dockerd.json", run / "docker.sock"
    docker: list[str | Path] = [program(lab, "docker"), "--host", f"unix://{socket}", "version"]
    if daemons.alive(note) is not None and proc.succeeds(docker, timeout=10):
        return
    daemons.stop(note)
    for left in (socket, run / "docker.pid"):
        left.unlink(missing_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    config = run / "daemon.json"
    files.write_json(config, {})
    log = lab.paths.logs / "dockerd.log"
    argv = [
        *_inside(lab), program(lab, "dockerd"), "--config-file", config, "--containerd", run / "containerd.sock",
        "--data-root", data, "--exec-root", run / "docker", "--pidfile", run / "docker.pid",
        "--host", f"unix://{socket}", "--dns", netns.RESOLVER,
    ]  # fmt: skip
    daemons.start(note, argv, log, _env(lab))
    daemons.wait_until(socket, note, docker, log, 45)


def _inside(lab: Lab) -> list[str | Path]:
    # nsenter replaces itself by the program, so the pid that is written down is the program's own.
    return ["nsenter", f"--net={netns.path(lab.identity.name)}"]


def _env(lab: Lab) -> dict[str, str]:
    root = programs(lab)
    path = os.pathsep.join([str(root / "usr/bin"), str(root / "usr/sbin"), os.environ.get("PATH", "")])
    return {"PATH": path, "DOCKER_HOST": "", "DOCKER_CONTEXT": ""}
