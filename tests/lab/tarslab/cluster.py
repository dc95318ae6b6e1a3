# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind cluster: made, brought back after a reboot, fed with images, taken down."""

from __future__ import annotations

import json
import resource
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from . import files, node, private, proc, weight
from .errors import LabError
from .identity import NODE_PORTS

if TYPE_CHECKING:
    from .context import Lab
    from .engine import Engine

MAX_PODS = 250
LABEL = "io.x-k8s.kind.cluster"
AUDIT_FOLDER = "/var/log/kubernetes-audit"
AUDIT_POLICY = "/etc/kubernetes/audit"
ETCD = {"unsafe-no-fsync": "true"}
"""Nothing of the lab outlives its machine, whose disk has more to do: one write in fifty waited 60 ms for it."""


def config(lab: Lab, image_mode: str) -> dict[str, Any]:
    """Return kind's configuration of this lab's cluster."""
    built = image_mode == "build"
    kubelet: dict[str, Any] = {"kind": "KubeletConfiguration", "maxPods": MAX_PODS}
    if built:
        # The driver is that of the node's containerd.toml.
        kubelet |= {"cgroupDriver": "cgroupfs", "resolvConf": "/etc/kubelet-resolv.conf", "failCgroupV1": False}
        # More open files than the machine allows would keep kubelet from starting.
        kubelet["maxOpenFiles"] = _open_files()
    cluster = {"kind": "ClusterConfiguration", "apiServer": _audit()}
    if built:
        cluster |= node.image_settings(lab)
    etcd = {"kind": "ClusterConfiguration", "etcd": {"local": {"extraArgs": ETCD}}}
    networking: dict[str, Any] = {"apiServerAddress": "127.0.0.1", "apiServerPort": lab.ports["api"]}
    if built:
        # The built node brings its own network, written by its entrypoint.
        networking |= {"disableDefaultCNI": True, "podSubnet": "10.244.0.0/16"}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": networking,
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in (kubelet, cluster, etcd)],
        "nodes": [_control_plane(lab), *({"role": "worker"} for _round in range(lab.nodes - 1))],
    }


def nodes(lab: Lab, engine: Engine, running: bool = False) -> list[str]:
    """Return the names of the node containers that are there (with `running`: that run)."""
    everything = [] if running else ["--all"]
    wanted = ["--filter", f"label={LABEL}={lab.identity.name}", "--format", "{{.Names}}"]
    return sorted(engine.docker("ps", *everything, *wanted, timeout=30).split())


def ensure(lab: Lab, engine: Engine, image: str, image_mode: str) -> None:
    """Bring the cluster up: nothing when it answers, a start when it was stopped, made anew when it is half made."""
    note = lab.paths.state / "cluster.json"
    known = files.read_json(note)
    present = nodes(lab, engine)
    if present and known.get("complete"):
        _refuse_other_image(known, image)
        if _recover(lab, engine, present):
            _make_reachable(lab, engine)
            return
        lab.console.say("  the cluster does not come back, so it is made again")
    if present:
        delete(lab, engine)
    _create(lab, engine, image, image_mode)
    _make_reachable(lab, engine)
    files.write_json(note, {"complete": True, "nodes": lab.nodes, "image": image})


def _make_reachable(lab: Lab, engine: Engine) -> None:
    """Tell the forwarder where the node with the NodePorts is, and let load outside not starve it.

    Only a private engine has a forwarder, and only its group of containers is ours to weigh.
    """
    if engine.is_private:
        address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        found = engine.docker("inspect", "--format", address, f"{lab.identity.name}-control-plane", timeout=30)
        files.write_atomic(private.node_note(lab), found.strip())
        weight.favour_cluster()


def delete(lab: Lab, engine: Engine) -> None:
    """Take the cluster away, with its nodes' volumes; none is no error."""
    private.node_note(lab).unlink(missing_ok=True)
    (lab.paths.state / "cluster.json").unlink(missing_ok=True)
    present = nodes(lab, engine)
    if present:
        # What kind itself does; its program may not be built (any more) when a lab is taken down.
        engine.docker("rm", "--force", "--volumes", *present, timeout=120)
    lab.paths.kubeconfig.unlink(missing_ok=True)


def answers(lab: Lab, seconds: float = 5) -> bool:
    """Return whether the API server says that it is ready."""
    if not lab.paths.kubeconfig.exists():
        return False
    return proc.succeeds(
        [*kubectl(lab), f"--request-timeout={seconds:.0f}s", "get", "--raw", "/readyz"], timeout=seconds + 5
    )


def kubectl(lab: Lab) -> list[str | Path]:
    """Return the beginning of a kubectl command for this cluster and no other."""
    return [lab.programs["kubectl"], "--kubeconfig", lab.paths.kubeconfig]


def load_images(lab: Lab, tar: Path) -> None:
    """Import an archive on every node that lacks one of its images; see context.Lab.load_images."""
    engine = lab.engine
    if engine is None:
        raise LabError("Images can be loaded only into a lab that is up: run `lab up`.")
    wanted = set(_names_in(tar))
    for name in nodes(lab, engine, running=True):
        ctr = ["exec", "-i", name, "ctr", "-n", "k8s.io", "images"]
        if wanted and wanted <= set(engine.docker(*ctr, "ls", "-q", timeout=60).split()):
            continue
        try:
            engine.docker(*ctr, "import", "--all-platforms", "-", stdin=tar, timeout=600)
        except proc.CommandError as error:
            raise LabError(f"Node {name} refuses the image archive {tar}: {error.output.strip()[-600:]}") from error


def wait_for_dns(lab: Lab) -> None:
    """Wait until names resolve in the cluster; after images are loaded there is usually nothing left to wait for.

    kubeadm asks for two pods with a tenth of a processor each, which on two processors the pods of a region need more.
    """
    small = {"containers": [{"name": "coredns", "resources": {"requests": {"cpu": "10m"}}}]}
    patch = json.dumps({"spec": {"replicas": 1, "template": {"spec": small}}})
    with lab.console.step("waiting for the cluster's DNS", 2):
        proc.run([*kubectl(lab), "-n", "kube-system", "patch", "deployment/coredns", "--patch", patch])
        proc.run([*kubectl(lab), "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=180s"])


def _create(lab: Lab, engine: Engine, image: str, image_mode: str) -> None:
    lab.paths.audit.mkdir(parents=True, exist_ok=True)
    for old in lab.paths.audit.glob("audit*.log"):
        old.unlink()
    policy = lab.paths.state / "audit" / "policy.yaml"
    files.write_atomic(policy, (lab.paths.source / "node" / "audit-policy.yaml").read_text(encoding="utf-8"))
    settings = lab.paths.state / "kind.yaml"
    files.write_atomic(settings, yaml.safe_dump(config(lab, image_mode), sort_keys=False))
    partial = lab.paths.state / "kubeconfig.part"
    argv: list[str | Path] = [
        lab.programs["kind"], "create", "cluster", "--name", lab.identity.name, "--image", image, "--retain",
        "--config", settings, "--kubeconfig", partial, "--wait", "180s",
    ]  # fmt: skip
    log = lab.paths.logs / "kind.log"
    with lab.console.step(f"making the cluster ({lab.nodes} node{'s' if lab.nodes > 1 else ''})", 30):
        try:
            proc.run(argv, env=engine.env, log=log, timeout=600)
        finally:
            Path(f"{partial}.lock").unlink(missing_ok=True)
        partial.chmod(0o600)
        partial.replace(lab.paths.kubeconfig)
        _wait_until_ready(lab, 120)


def _recover(lab: Lab, engine: Engine, present: list[str]) -> bool:
    """Return whether the cluster answers, after starting nodes that were stopped."""
    if len(present) != lab.nodes:
        return False
    stopped = sorted(set(present) - set(nodes(lab, engine, running=True)))
    if not stopped:
        return _patient(lab, 60)
    with lab.console.step("starting the cluster's nodes again", 20):
        engine.docker("start", *stopped, timeout=120)
        return _patient(lab, 120)


def _patient(lab: Lab, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers(lab):
            return True
        time.sleep(1)
    return False


def _wait_until_ready(lab: Lab, seconds: float) -> None:
    if not _patient(lab, seconds):
        raise LabError(
            f"The cluster is made, but its API server does not answer on 127.0.0.1:{lab.ports['api']} of this machine: "
            "if Docker runs on another machine (DOCKER_HOST), run the lab there."
        )


def refuse_other_size(lab: Lab) -> None:
    """Raise LabError when the cluster that is there has another number of nodes than the lab is to have."""
    known = files.read_json(lab.paths.state / "cluster.json")
    if known.get("complete") and known.get("nodes") != lab.nodes:
        raise LabError(
            f"The lab is up with {known.get('nodes')} node(s) and cannot change to {lab.nodes} while it lives: "
            f"run `lab down` first, then `lab up --nodes {lab.nodes}`."
        )


def _refuse_other_image(known: dict[str, Any], image: str) -> None:
    if known.get("image") != image:
        raise LabError(
            "The lab is up with another node image than the one that the present files make "
            f"({known.get('image')} instead of {image}): run `lab down` first, then `lab up`."
        )


def _control_plane(lab: Lab) -> dict[str, Any]:
    mounts = [
        {"hostPath": str(lab.paths.state / "audit"), "containerPath": AUDIT_POLICY, "readOnly": True},
        {"hostPath": str(lab.paths.audit), "containerPath": AUDIT_FOLDER},
    ]
    published = [
        {"containerPort": inner, "hostPort": lab.ports[name], "listenAddress": "127.0.0.1"}
        for name, inner in NODE_PORTS.items()
    ]
    return {"role": "control-plane", "extraPortMappings": published, "extraMounts": mounts}


def _audit() -> dict[str, Any]:
    """Return the API server's part of kubeadm's configuration: an audit log in a folder of the machine."""
    volumes = [
        {
            "name": "audit-policy",
            "hostPath": AUDIT_POLICY,
            "mountPath": AUDIT_POLICY,
            "readOnly": True,
            "pathType": "Directory",
        },
        {"name": "audit-log", "hostPath": AUDIT_FOLDER, "mountPath": AUDIT_FOLDER, "pathType": "DirectoryOrCreate"},
    ]
    arguments = {
        "audit-policy-file": f"{AUDIT_POLICY}/policy.yaml",
        "audit-log-path": f"{AUDIT_FOLDER}/audit.log",
        # Megabytes and files: at most 250 MB, the oldest go first.
        "audit-log-maxsize": "50",
        "audit-log-maxbackup": "4",
    }
    return {"extraArgs": arguments, "extraVolumes": volumes}


def _open_files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1_000_000 if hard == resource.RLIM_INFINITY else min(hard, 1_000_000)


def _names_in(tar: Path) -> list[str]:
    """Return the image names in an archive's index; none for one that has no index with names."""
    with tarfile.open(tar) as archive:
        try:
            member = archive.extractfile("index.json")
        except KeyError:
            return []
        index = json.load(member) if member else {}
    names = [d.get("annotations", {}).get("io.containerd.image.name") for d in index.get("manifests", [])]
    return [n for n in names if n]
