# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two checkouts never share a name, a port or a folder; what the user chose is respected."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tarslab import identity, ports
from tarslab.errors import LabError


def test_id_follows_from_the_real_path(tmp_path: Path) -> None:
    checkout = tmp_path / "one"
    checkout.mkdir()
    (tmp_path / "link").symlink_to(checkout)
    assert identity.identify(tmp_path / "link") == identity.identify(checkout)
    assert len(identity.identify(checkout).id) == 6
    assert identity.identify(checkout).name == f"tars-{identity.identify(checkout).id}"


def test_two_checkouts_differ(tmp_path: Path) -> None:
    one, two = (identity.identify(tmp_path / name) for name in ("one", "two"))
    assert one.id != two.id
    assert one.preferred_block != two.preferred_block


def test_folders_of_root_and_of_a_user(tmp_path: Path) -> None:
    who = identity.identify(tmp_path)
    root = identity.locate(who, {"HOME": "/home/x"}, uid=0)
    assert root.run == Path("/run/tars-lab") / who.id
    assert root.cache == Path("/home/x/.cache/tars-rollout-lab")
    user = identity.locate(who, {"HOME": "/home/x", "XDG_RUNTIME_DIR": "/run/user/7"}, uid=7)
    assert user.run == Path("/run/user/7/tars-lab") / who.id
    assert "7" in str(identity.locate(who, {"HOME": "/home/x"}, uid=7).run)


@pytest.mark.parametrize(
    ("value", "expected"), [("/big", "/big"), ("relative", "/home/x/.cache"), ("", "/home/x/.cache")]
)
def test_cache_folder_follows_the_base_directory_rule(tmp_path: Path, value: str, expected: str) -> None:
    paths = identity.locate(identity.identify(tmp_path), {"HOME": "/home/x", "XDG_CACHE_HOME": value}, uid=7)
    assert paths.cache == Path(expected) / "tars-rollout-lab"


def test_block_holds_every_port_once() -> None:
    block = ports.block(20480)
    assert block["api"] == 20480
    assert block["statuspage"] == 20489
    assert len(set(block.values())) == len(identity.PORT_NAMES) <= identity.BLOCK


def test_taken_block_is_passed_over(tmp_path: Path) -> None:
    who = identity.identify(tmp_path)
    first = ports.choose(who)
    with socket.create_server(("127.0.0.1", first["redis"])):
        second = ports.choose(who)
    assert second["api"] > first["api"] or second["api"] == identity.FIRST_PORT
    assert (second["api"] - identity.FIRST_PORT) % identity.BLOCK == 0


def test_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    block = ports.choose(identity.identify(tmp_path))
    ports.check(block)
    with socket.create_server(("127.0.0.1", block["prometheus"])), pytest.raises(LabError) as caught:
        ports.check(block)
    said = str(caught.value)
    assert f"127.0.0.1:{block['prometheus']}" in said
    assert "prometheus" in said
    assert "lab down" in said


def test_node_ports_cover_all_but_the_api_server() -> None:
    assert set(identity.NODE_PORTS) == set(identity.PORT_NAMES) - {"api"}
