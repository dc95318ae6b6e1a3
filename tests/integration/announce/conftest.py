# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles and a real mail server, for every test of this folder."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from tars_servers import programs

# The helpers beside the tests are importable under every import mode.
HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from announce_tools import ROUTING_KEY, TOKEN, Doubles, Mailbox, ready, start, stop, until  # noqa: E402

CONFIG = """
route:
  receiver: pager
  group_wait: 0s
  group_interval: 1s
  routes: [{{receiver: pager, continue: true}}, {{receiver: slack}}]
receivers:
  - name: pager
    pagerduty_configs: [{{routing_key: {key}, url: "{root}/v2/enqueue", send_resolved: true}}]
  - name: slack
    slack_configs: [{{api_url: "{root}/services/T00000000/B00000000/{token}", channel: "#tars-deployments"}}]
"""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doubles]:
    process, root = start(tmp_path_factory.mktemp("doubles"))
    yield Doubles(root)
    stop(process)


@pytest.fixture
def doubles(served: Doubles) -> Doubles:
    """The doubles with nothing in them."""
    served.control("POST", "reset", {})
    return served


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=30)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def alertmanager(doubles: Doubles, tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG.format(key=ROUTING_KEY, root=doubles.root, token=TOKEN), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = programs.alertmanager()
    command = [
        str(program),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=program.parents[2], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: ready(url) or process.poll() is not None, "Alertmanager to be ready")
        assert process.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")[-2000:]
        yield url
    finally:
        process.terminate()
        process.wait(20)
