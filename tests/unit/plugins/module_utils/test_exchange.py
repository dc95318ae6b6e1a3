# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog of exchanges, over pairs of real sockets. What a server can do to a client is in test_http.py."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._exchange import Exchange, within


@pytest.fixture
def silent() -> Iterator[SimpleNamespace]:
    """A connection at whose other end nobody says anything."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield SimpleNamespace(sock=ours)


def read(connection: SimpleNamespace, seconds: float) -> tuple[Exchange, float]:
    """Wait for a word within that time; the exchange, and how long it was."""
    began = time.monotonic()
    with within(seconds) as exchange:
        exchange.hold(connection)
        connection.sock.settimeout(10)
        assert connection.sock.recv(1) == b""
    return exchange, time.monotonic() - began


def test_who_reads_is_woken_when_the_time_is_over(silent: SimpleNamespace) -> None:
    exchange, took = read(silent, 0.2)
    assert exchange.over and 0.2 <= took < 5


def test_a_short_one_does_not_wait_for_a_long_one(silent: SimpleNamespace) -> None:
    with within(60) as outer:
        exchange, took = read(silent, 0.2)
    assert exchange.over and took < 5 and not outer.over


def test_a_longer_one_after_a_short_one_gets_its_whole_time(silent: SimpleNamespace) -> None:
    with within(0.2):
        pass
    exchange, took = read(silent, 0.8)
    assert exchange.over and 0.8 <= took < 5


def test_one_that_has_ended_is_left_alone(silent: SimpleNamespace) -> None:
    with within(1) as exchange:
        exchange.hold(silent)
    time.sleep(1.5)
    silent.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        silent.sock.recv(1)
    assert not exchange.over


def test_nothing_is_sent_after_its_time() -> None:
    with within(0) as exchange:
        deadline = time.monotonic() + 5
        while not exchange.over and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(TimeoutError, match="is over"):
            exchange.hold(SimpleNamespace())


def test_many_share_one_thread() -> None:
    with within(60):
        before = threading.active_count()
        for _again in range(50):
            with within(60), within(30):
                assert threading.active_count() == before


def test_the_child_of_a_fork_watches_by_itself(silent: SimpleNamespace) -> None:
    with within(60):
        child = os.fork()
        if child == 0:
            try:
                exchange, took = read(silent, 0.2)
                os._exit(0 if exchange.over and took < 5 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
