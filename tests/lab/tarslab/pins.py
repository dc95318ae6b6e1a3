# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file of versions, read and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError


@dataclass(frozen=True)
class Tree:
    """A Debian tree: a release's name and the packages in it."""

    suite: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Pins:
    """What pins.toml says; the names are those of the file."""

    go_needed: str
    go_wheel: str
    kubernetes: str
    etcd: str
    coredns: str
    pause: str
    kind: str
    istio_module: str
    istio: str
    istio_api: str
    gateway_api: str
    helm: str
    envoy: str
    engine: Tree
    engine_host_packages: tuple[str, ...]
    trees: dict[str, Tree]
    pull: dict[str, str]


def load(path: Path) -> Pins:
    """Read a file of pins. Raises LabError that names the file and what is missing or malformed."""
    try:
        with path.open("rb") as stream:
            return _pins(tomllib.load(stream))
    except OSError as error:
        raise LabError(f"The file of versions {path} cannot be read: {error.strerror}.") from error
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"The file of versions {path} is not valid TOML: {error}.") from error
    except KeyError as error:
        raise LabError(f"The file of versions {path} lacks {error}.") from error


def _pins(raw: dict[str, Any]) -> Pins:
    kubernetes, istio = raw["kubernetes"], raw["istio"]
    return Pins(
        go_needed=raw["go"]["needed"],
        go_wheel=raw["go"]["wheel"],
        kubernetes=kubernetes["version"],
        etcd=kubernetes["etcd"],
        coredns=kubernetes["coredns"],
        pause=kubernetes["pause"],
        kind=kubernetes["kind"],
        istio_module=istio["module"],
        istio=istio["version"],
        istio_api=istio["api"],
        gateway_api=istio["gateway_api"],
        helm=raw["helm"]["version"],
        envoy=raw["envoy"]["wheel"],
        engine=_tree(raw["engine"]),
        engine_host_packages=tuple(raw["engine"]["host_packages"]),
        trees={name: _tree(value) for name, value in raw["trees"].items()},
        pull=dict(raw["pull"]),
    )


def _tree(raw: dict[str, Any]) -> Tree:
    return Tree(suite=raw["suite"], packages=tuple(raw["packages"]))
