# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node image, built here: Debian with systemd and containerd, Kubernetes' programs and images inside."""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import archive, cache, debtree, files
from .archive import Entry, Image, Layer
from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab
    from .engine import Engine

REPOSITORY = "lab.invalid"
"""A name that can never be resolved: nothing that is missing here is ever looked for elsewhere."""

RECIPE = "1"
"""Raised when the image is put together in another way, so that an older one is not taken for it."""

STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

WANTS = "etc/systemd/system/multi-user.target.wants"

NOT_STARTED = (
    "etc/systemd/system/timers.target.wants",
    "etc/systemd/system/getty.target.wants",
    "etc/systemd/system/sysinit.target.wants",
    "usr/lib/systemd/system/multi-user.target.wants",
    WANTS,
)
"""Folders of links to units, emptied by the layer above."""

NOT_WANTED = (
    "usr/lib/systemd/system/sockets.target.wants/systemd-initctl.socket",
    "usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
)

MASKED = (
    "systemd-binfmt.service", "systemd-udevd.service", "systemd-logind.service", "systemd-networkd.service",
    "systemd-timesyncd.service", "getty.target", "console-getty.service",
)  # fmt: skip


def tree(lab: Lab) -> Path:
    """Return the folder with the node's Debian tree (`root.tar`) and kube-proxy's base (`proxybase.tar`)."""
    pinned = lab.pins.trees["node"]
    hook = lab.paths.source / "node" / "proxybase.sh"
    name = "node-" + files.digest(pinned.suite, *pinned.packages, hook)

    def make(folder: Path) -> None:
        with lab.console.step("installing Debian into the node's tree", 40):
            debtree.build(lab, "node", folder, hooks=_hooks(hook))

    return cache.artefact(lab, "trees", name, make)


def reference(lab: Lab, tree_folder: Path, programs: Path) -> str:
    """Return the node image's name; its tag follows from everything in it."""
    key = files.digest(tree_folder.name, programs.name, lab.paths.source / "node", lab.pins.pause, RECIPE)
    return f"{REPOSITORY}/tars-lab/node:v{lab.pins.kubernetes}-{key}"


def ensure(lab: Lab, engine: Engine, tree_folder: Path, programs: Path) -> str:
    """Return the name of the node image, made in the engine if it is not there."""
    name = reference(lab, tree_folder, programs)
    if engine.exists("image", name):
        return name
    with lab.console.step("making the node image", 25):
        scratch = cache.fresh(lab, "node-image")
        try:
            inner = _cluster_images(lab, scratch, tree_folder, programs)
            base = _base_image(lab, scratch, tree_folder, programs)
            _bake(lab, engine, base, inner, name)
            _remove_older(engine, name)
        finally:
            cache.discard(scratch)
    return name


def image_settings(lab: Lab) -> dict[str, Any]:
    """Return the part of kubeadm's ClusterConfiguration that says where its images are."""
    pins = lab.pins
    return {
        "imageRepository": REPOSITORY,
        "etcd": {"local": {"imageRepository": REPOSITORY, "imageTag": pins.etcd}},
        "dns": {"imageRepository": REPOSITORY, "imageTag": f"v{pins.coredns}"},
    }


def _hooks(hook: Path) -> Callable[[Path], Sequence[str]]:
    def hooks(folder: Path) -> Sequence[str]:
        return [f'--customize-hook="{hook}" "$1" "{folder / "proxybase.tar"}"']

    return hooks


def _cluster_images(lab: Lab, scratch: Path, tree_folder: Path, programs: Path) -> Path:
    """Write one archive with the images that kubeadm starts."""
    pins, version = lab.pins, f"v{lab.pins.kubernetes}"

    def single(name: str, place: str) -> Layer:
        return archive.write_layer(scratch / f"{name}.tar", {place: Entry(programs / name)})

    images = [
        *(Image(f"{REPOSITORY}/{n}:{version}", (single(n, f"usr/local/bin/{n}"),)) for n in STATIC),
        Image(f"{REPOSITORY}/etcd:{pins.etcd}", (single("etcd", "usr/local/bin/etcd"),)),
        Image(
            f"{REPOSITORY}/kube-proxy:{version}",
            (archive.layer(tree_folder / "proxybase.tar"), single("kube-proxy", "usr/local/bin/kube-proxy")),
        ),
        Image(f"{REPOSITORY}/coredns:v{pins.coredns}", (single("coredns", "coredns"),), {"Entrypoint": ["/coredns"]}),
        Image(
            f"{REPOSITORY}/pause:{pins.pause}",
            (single("pause", "pause"),),
            {"Entrypoint": ["/pause"], "User": "65535:65535"},
        ),
    ]
    archive.write(scratch / "cluster.tar", images)
    return scratch / "cluster.tar"


def _base_image(lab: Lab, scratch: Path, tree_folder: Path, programs: Path) -> tuple[Path, str]:
    name = f"{REPOSITORY}/tars-lab/nodebase:{lab.identity.id}"
    settings = {
        "Env": [archive.PATH_ENV, "container=docker"],
        "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
        "StopSignal": "SIGRTMIN+3",
    }
    own = archive.write_layer(scratch / "own.tar", _own_files(lab, programs))
    archive.write(scratch / "base.tar", [Image(name, (archive.layer(tree_folder / "root.tar"), own), settings)])
    return scratch / "base.tar", name


def _own_files(lab: Lab, programs: Path) -> dict[str, Entry]:
    """Return the layer on top of Debian: our files, units switched on and off."""
    source = lab.paths.source / "node"
    config = string.Template((source / "containerd.toml").read_text(encoding="utf-8"))
    pause = f"{REPOSITORY}/pause:{lab.pins.pause}"
    entries = {
        "usr/local/bin/entrypoint": Entry(source / "entrypoint"),
        "etc/systemd/system/kubelet.service": Entry(source / "kubelet.service", mode=0o644),
        "etc/systemd/system/kubelet.slice": Entry(source / "kubelet.slice", mode=0o644),
        "etc/systemd/journald.conf.d/node.conf": Entry(source / "journald.conf", mode=0o644),
        "etc/sysctl.d/10-node.conf": Entry(source / "sysctl.conf", mode=0o644),
        "etc/containerd/config.toml": Entry(config.substitute(PAUSE=pause).encode(), mode=0o644),
        "etc/kubernetes/manifests": Entry(),
        "etc/cni/net.d": Entry(),
        "kind/version": Entry(f"v{lab.pins.kubernetes}".encode(), mode=0o644),
        "kind/manifests/default-storage.yaml": Entry(source / "storage.yaml", mode=0o644),
    }
    entries |= {f"usr/bin/{p}": Entry(programs / p) for p in ("kubeadm", "kubelet", "kubectl")}
    entries |= {
        f"opt/cni/bin/{p}": Entry(target=f"/usr/lib/cni/{p}")
        for p in ("bridge", "host-local", "loopback", "portmap", "ptp")
    }
    # In a layer, a file with this name empties the folder below, and one with this beginning removes what it names.
    entries |= {f"{folder}/.wh..wh..opq": Entry(b"", mode=0o644) for folder in NOT_STARTED}
    entries |= {str(Path(p).with_name(f".wh.{Path(p).name}")): Entry(b"", mode=0o644) for p in NOT_WANTED}
    entries |= {f"etc/systemd/system/{unit}": Entry(target="/dev/null") for unit in MASKED}
    entries[f"{WANTS}/kubelet.service"] = Entry(target="/etc/systemd/system/kubelet.service")
    entries[f"{WANTS}/containerd.service"] = Entry(target="/lib/systemd/system/containerd.service")
    return entries


def _bake(lab: Lab, engine: Engine, base: tuple[Path, str], inner: Path, name: str) -> None:
    """Run the base image with nothing but containerd, import Kubernetes' images, keep the result as an image."""
    path, base_name = base
    container = f"{lab.identity.name}-bake"
    log = lab.paths.logs / "node-image.log"
    engine.docker("load", "--input", path, log=log)
    _remove(engine, container)
    try:
        options = ["--detach", "--name", container, "--network", "none", "--entrypoint", "containerd"]
        engine.docker("run", *options, "--security-opt", "seccomp=unconfined", base_name, log=log)
        _wait_for_containerd(engine, container)
        importing = ["ctr", "-n", "k8s.io", "images", "import", "--all-platforms", "--no-unpack", "-"]
        engine.docker("exec", "-i", container, *importing, stdin=inner, log=log, timeout=300)
        # containerd closes its database before it ends, so what is committed is whole. The stop signal is systemd's.
        engine.docker("kill", "--signal", "TERM", container, timeout=30)
        engine.docker("wait", container, timeout=60)
        change = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
        engine.docker("commit", "--change", change, container, name, log=log, timeout=300)
    finally:
        _remove(engine, container)
    engine.docker("rmi", "--no-prune", base_name, log=log)


def _remove_older(engine: Engine, name: str) -> None:
    """Remove node images of former versions, a gigabyte each; in the user's Docker another checkout may need them."""
    if not engine.is_private:
        return
    listing = [
        "image",
        "ls",
        "--filter",
        f"reference={name.rpartition(':')[0]}",
        "--format",
        "{{.Repository}}:{{.Tag}}",
    ]
    for old in set(engine.docker(*listing).split()) - {name}:
        # Forced: the name of one that a container runs on goes now, its content when the container goes.
        engine.docker("image", "rm", "--force", old)


def _wait_for_containerd(engine: Engine, container: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            engine.docker("exec", container, "ctr", "version", timeout=10)
        except LabError:
            time.sleep(0.2)
        else:
            return
    raise LabError("The node image cannot be made: containerd in it did not answer within 30 s.")


def _remove(engine: Engine, container: str) -> None:
    if engine.exists("container", container):
        engine.docker("rm", "--force", "--volumes", container, timeout=60)
