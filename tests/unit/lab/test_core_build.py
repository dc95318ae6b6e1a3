# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions, Debian's sources, Go's complaints, limits of the machine."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from tarslab import debtree, golang, gomessages, pins, preflight
from tarslab.errors import LabError

LAB = Path(__file__).resolve().parents[2] / "lab"

DEB822 = """\
Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def required(module: str) -> dict[str, str]:
    text = (LAB / "go" / module / "go.mod").read_text()
    found = dict(re.findall(r"^\s*(?:require )?([\w./-]+) v(\S+)", text, re.MULTILINE))
    return found | dict(re.findall(r"=> ([\w./-]+) v(\S+)", text))


def test_pins_and_go_mod_say_the_same() -> None:
    wanted = pins.load(LAB / "pins.toml")
    kubernetes = required("kubernetes")
    assert kubernetes["k8s.io/kubernetes"] == wanted.kubernetes
    assert kubernetes["k8s.io/client-go"] == "0" + wanted.kubernetes.removeprefix("1")
    assert kubernetes["go.etcd.io/etcd/server/v3"] == wanted.etcd
    assert kubernetes["github.com/coredns/coredns"] == wanted.coredns
    assert kubernetes["sigs.k8s.io/kind"] == wanted.kind
    istio = required("istiod")
    assert istio["istio.io/istio"] == wanted.istio_module
    assert istio["istio.io/api"] == wanted.istio_api
    assert istio["sigs.k8s.io/gateway-api"] == wanted.gateway_api
    assert required("helm")["helm.sh/helm/v3"] == wanted.helm


def test_no_module_asks_for_a_newer_go_than_the_pins_say() -> None:
    wanted = pins.load(LAB / "pins.toml").go_needed
    for path in (LAB / "go").glob("*/go.mod"):
        assert f"\ngo {wanted}\n" in path.read_text()


def test_missing_pin_is_named(tmp_path: Path) -> None:
    (tmp_path / "pins.toml").write_text("[go]\nneeded = '1'\n")
    with pytest.raises(LabError, match=r"pins.toml lacks 'kubernetes'"):
        pins.load(tmp_path / "pins.toml")


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "other.list").write_text("deb https://other.example/apt stable main\n")
    return tmp_path


def test_sources_of_another_release_use_the_machines_mirror(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    found = debtree.sources("trixie", apt, "bookworm")
    assert found.count("Types: deb\n") == 2
    assert "Suites: trixie\n" in found
    assert "Suites: trixie-security" in found
    assert "mirror.example" in found
    assert "other.example" not in found
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" in found


def test_sources_in_the_old_format(apt: Path) -> None:
    line = "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main # main one\n"
    (apt / "sources.list").write_text("# nothing\ndeb-src http://x/ bookworm main\n" + line)
    found = debtree.sources("bookworm", apt, "bookworm")
    assert found == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n"
    )


def test_no_source_to_derive_from(apt: Path) -> None:
    with pytest.raises(LabError, match="no source of Debian bookworm"):
        debtree.sources("trixie", apt, "bookworm")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\n', "Ubuntu 24.04"),
        ('ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian 11"\nVERSION_CODENAME=bullseye\n', "Debian 11"),
    ],
)
def test_machines_that_cannot_build_are_told_so(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "os-release").write_text(text)
    with pytest.raises(LabError, match=f"Debian 12 or newer; this is {name}"):
        debtree.host_suite(tmp_path / "os-release")


REFUSED = "helm.sh/helm/v3@v3.22.99: reading https://p.example/helm.sh/helm/v3/@v/v3.22.99.info: 403 Forbidden\n"
AWAY = 'go: x/y@v1.0.0: Get "https://127.0.0.1:1/x/@v/v1.0.0.zip": dial tcp 127.0.0.1:1: connect: connection refused\n'


def test_refused_version_is_named() -> None:
    said = gomessages.explain("go: downloading a/b v1.0.0\n" + REFUSED, "Helm 3")
    assert "helm.sh/helm/v3 in version v3.22.99" in said
    assert "403" in said
    assert "\n" not in said


def test_proxy_that_is_away_is_not_called_a_refusal() -> None:
    said = gomessages.explain(AWAY, "Helm 3")
    assert "cannot be reached (dial tcp 127.0.0.1:1: connect: connection refused)" in said
    assert "\n" not in said


def test_go_sum_that_does_not_fit_says_what_to_run() -> None:
    said = gomessages.explain(
        "go: x@v1.2.3: missing go.sum entry for go.mod file; to add it:\n\tgo mod download x\n", "Helm 3"
    )
    assert "go list -mod=mod" in said


def test_memory_and_disk_say_numbers(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"about 6 GiB of free memory and 2.0 GiB"):
        preflight.check_memory(2 << 30)
    preflight.check_memory(7 << 30)
    with pytest.raises(LabError, match=r"GiB of disk under .*\(a, b\)"):
        preflight.check_disk({"a": tmp_path / "x", "b": tmp_path}, {"a": 1 << 60, "b": 1})
    preflight.check_disk({"a": tmp_path / "x" / "y"}, {"a": 1})


def machine(tmp_path: Path, groups: str, limits: dict[str, str]) -> tuple[Path, Path]:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {8 << 20} kB\n")
    (proc / "self" / "cgroup").write_text(groups)
    for name, value in limits.items():
        (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / name).write_text(value + "\n")
    return proc, cgroups


def test_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    limits = {"memory/a/memory.limit_in_bytes": str(4 << 30), "memory/a/memory.usage_in_bytes": str(1 << 30)}
    proc, cgroups = machine(tmp_path, "9:memory:/a/b\n1:name=systemd:/a\n", limits)
    assert preflight.available_memory(proc, cgroups) == 3 << 30


def test_unlimited_control_group_does_not_count(tmp_path: Path) -> None:
    proc, cgroups = machine(tmp_path, "0::/a\n", {"a/memory.max": "max", "a/memory.current": "5"})
    assert preflight.available_memory(proc, cgroups) == 8 << 30


def test_programs_key_follows_from_what_is_built() -> None:
    groups = golang.groups(pins.load(LAB / "pins.toml"))
    assert {g.module for g in groups.values()} == {p.name for p in (LAB / "go").iterdir()}
    assert "gitVersion=v1." in groups["kubernetes"].ldflags


def test_go_env_is_not_left_to_chance() -> None:
    env = golang._env(Path("/opt/go/bin/go"))
    assert env["GOTOOLCHAIN"] == "local"
    assert env["PATH"].split(os.pathsep)[0] == "/opt/go/bin"
    assert json.dumps(env)
