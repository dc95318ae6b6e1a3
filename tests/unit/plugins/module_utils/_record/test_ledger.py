# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: whole lines in their order, from many at once; a torn last line is no event."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger


def event(number: int = 0, **data: object) -> Event:
    return Event("2026-01-31T12:00:00.000Z", "us-west-2", "2.1.0", "weight", "api", f"step {number}", data)


def test_there_and_back(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    assert ledger.read(path) == []
    book = Ledger(path)
    book.add(event(1, before=0))
    book.add(event(2))
    assert ledger.read(path) == [event(1, before=0), event(2)]
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


def test_many_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")

    def write(number: int) -> None:
        book = Ledger(path)
        for _count in range(50):
            book.add(event(number, text="x" * 500))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.read(path)) == 400


def test_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    Ledger(str(path)).add(event(1))
    with path.open("a") as file:
        file.write('{"at": "2026')
    assert ledger.read(str(path)) == [event(1)]


def test_an_odd_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("hello\n")
    with pytest.raises(RolloutError, match="line 1 is no event"):
        ledger.read(str(path))


def test_no_secret_gets_in(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    Ledger(str(path), Scrubber(["hunter2"]).data).add(event(1, said="the token is hunter2"))
    assert "hunter2" not in path.read_text()


def test_what_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    book = Ledger(str(tmp_path / "missing" / "ledger"))
    book.add(event())
    assert book.problem.startswith("The ledger ") and "No such file" in book.problem
    Ledger().add(event())
