# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `lab up|down|status|env|load|release`."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from . import environment, locks, proc, release, state, status, weight
from .context import MORE_REGIONS, REGIONS, SERVICES, Lab
from .down import down
from .errors import Interrupted, LabError
from .load import cli as load_command
from .up import attach, cluster_is_up, up

CHECKOUT = Path(__file__).resolve().parents[3]


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 an expected fault (a sentence on stderr), 130 interrupted."""
    arguments = _parser().parse_args(argv)
    command: Callable[[Lab, argparse.Namespace], int] = arguments.run
    try:
        with _signals():
            return command(state.open_lab(CHECKOUT), arguments)
    except Interrupted as error:
        proc.stop_all()
        print(f"lab: {error}", file=sys.stderr)
        return 130
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="A real cluster with T.A.R.S. on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("up", help="bring the lab up; what is there stays as it is")
    one.add_argument("--nodes", type=_count, help="nodes of the cluster (default 1)")
    regions = f"{', '.join(REGIONS)} by default; also {', '.join(MORE_REGIONS)}"
    one.add_argument("--regions", type=state.listed, metavar="A,B", help=f"regions to have or to add ({regions})")
    one.add_argument(
        "--services", type=state.listed, metavar="A,B", help=f"services to have or to add ({', '.join(SERVICES)})"
    )
    one.set_defaults(run=_up)

    one = commands.add_parser("down", help="take the lab down; the cache stays")
    one.add_argument(
        "--purge", action="store_true", help="remove this lab's data and unused artefacts from the cache too"
    )
    one.set_defaults(run=_down)

    one = commands.add_parser("status", help="what is up, and what it costs")
    one.add_argument("--json", action="store_true", help="one JSON list of [name, state, detail]")
    one.add_argument("--quiet", action="store_true", help="say nothing: exit code 0 when the lab is up, else 1")
    one.add_argument("--seconds", type=float, default=5, help="how long CPU is measured; 0 leaves cost out")
    one.set_defaults(run=_status)

    one = commands.add_parser("env", help="the lab's addresses as export lines")
    one.add_argument("--json", action="store_true", help="as one JSON object")
    one.set_defaults(run=_env)

    load_command.add_parser(commands)
    commands.choices["load"].set_defaults(run=_load)
    one = commands.add_parser("release", help="make an application release, with faults if wanted, and load it")
    release.add_arguments(one)
    one.set_defaults(run=lambda lab, arguments: release.run(attach(lab), arguments))
    return parser


def _up(lab: Lab, arguments: argparse.Namespace) -> int:
    with locks.only_one(lab.paths.state / "lock", "lab up"):
        up(lab, arguments.regions, arguments.services, arguments.nodes)
    return 0


def _down(lab: Lab, arguments: argparse.Namespace) -> int:
    with locks.only_one(lab.paths.state / "lock", "lab down"):
        down(lab, arguments.purge)
    return 0


def _status(lab: Lab, arguments: argparse.Namespace) -> int:
    if arguments.quiet:
        return 0 if state.load(lab).get("up") and cluster_is_up(lab) else 1
    report = status.rows(lab, arguments.seconds)
    print(json.dumps(report) if arguments.json else status.text(report))
    return 0 if all(value != "down" for _name, value, _detail in report) else 1


def _env(lab: Lab, arguments: argparse.Namespace) -> int:
    if not state.load(lab).get("up"):
        raise LabError("The lab is not up: run `lab up` (or `make lab-up`) first.")
    known = environment.values(lab)
    print(environment.as_json(known) if arguments.json else environment.exports(known))
    return 0


def _load(lab: Lab, arguments: argparse.Namespace) -> int:
    # Without a lab there is still --target.
    known = environment.values(lab) if state.load(lab).get("up") else {}
    weight.favour()
    return load_command.main(arguments, known)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 9:
        raise argparse.ArgumentTypeError("a number from 1 to 9")
    return number


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn the first signal to end into an exception; further ones must not cut the clearing up short."""
    told = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            # Before the exception: it would have to wait for threads that wait for programs.
            proc.ask_all_to_stop()
            name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            raise Interrupted(f"Stopped by {name}. What was finished is kept: the same command goes on from there.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
