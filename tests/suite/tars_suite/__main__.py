# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the stages of the tests and count: `python -m tars_suite [--all] [--stage NAME] ...`.

The last line is exactly `N passed, N failed`, with `, N skipped` when something could not run here.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tars_suite import lab, model, process, results

ROOT = Path(__file__).resolve().parents[3]
VENVS = {"2.19": ROOT / ".venv", "2.18": ROOT / ".venv-2.18"}
OUT = ROOT / "build" / "test"
TAIL_LINES = 80


def environment(stage: model.Stage) -> dict[str, str]:
    """The environment of a stage's commands: its virtual environment first on PATH, the collection importable."""
    venv = VENVS[stage.core]
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH", "ANSIBLE_CONFIG")}
    env["PATH"] = f"{venv / 'bin'}{os.pathsep}{env['PATH']}"
    env["VIRTUAL_ENV"] = str(venv)
    env["ANSIBLE_CORE"] = stage.core
    return env


def run_stage(stage: model.Stage, use: lab.LabUse, log: Path) -> results.Result:
    """Run the checks of a stage, not longer than the hard limit that follows from its budget."""
    env = environment(stage)
    if stage.core != "2.19" and process.run(
        ("tests/suite/venv.sh", str(VENVS[stage.core]), stage.core), env=env, cwd=ROOT, log=log, seconds=300
    ):
        return results.Result(failed=(f"{stage.name}: virtual environment",))
    if stage.lab:
        if code := use.up():
            return results.Result(failed=(f"{stage.name}: lab up (exit code {code})",))
        env |= use.env()
    end = time.monotonic() + stage.minutes * 60 * model.HARD_FACTOR
    total = results.Result()
    for number, check in enumerate(stage.checks):
        junit = OUT / f"{log.stem}-{number}.junit"
        junit.mkdir(parents=True, exist_ok=True)
        for old in junit.glob("*.xml"):
            old.unlink()
        env["JUNIT"] = str(junit / "results.xml")
        argv = tuple(env["JUNIT"] if word == "$JUNIT" else word for word in check.argv)
        code = process.run(argv, env=env, cwd=ROOT, log=log, seconds=end - time.monotonic())
        if code == process.TIMED_OUT:
            total += results.Result(
                failed=(f"{check.name} (ended: the stage's budget of {stage.minutes:g} min was used up)",)
            )
            break
        total += results.of_check(check.name, code, junit.glob("*.xml"))
    return total


@contextmanager
def lab_for(suite: model.Suite) -> Iterator[lab.LabUse]:
    """The lab's life around a run; down even when the run is interrupted, if it was brought up here."""
    base = model.Stage("lab", suite.lab_minutes, ())
    log = OUT / "lab.log"
    log.unlink(missing_ok=True)

    def run(words: tuple[str, ...], seconds: float) -> int:
        argv = (str(ROOT / "tests" / "lab" / "lab"), *words)
        return process.run(argv, env=environment(base), cwd=ROOT, log=log, seconds=seconds)

    use = lab.LabUse(run, ROOT / ".lab" / "env.json", suite.lab_options, suite.lab_minutes)
    try:
        yield use
    finally:
        use.down()


def show(number: int, stages: tuple[model.Stage, ...], result: results.Result, seconds: float, log: Path) -> None:
    """Print what a stage gave; for a failed one the end of its log as well."""
    stage = stages[number]
    word = "FAILED" if result.failed else "ok"
    print(
        f"[{number + 1:2}/{len(stages)}] {stage.name:28} {word:6} {results.closing_line(result)}   {seconds:.0f} s",
        flush=True,
    )
    if result.failed:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        print("\n".join(f"    | {line}" for line in tail), flush=True)


def summary(stages: tuple[model.Stage, ...], left_out: tuple[model.Stage, ...], total: results.Result) -> None:
    """Name what failed, what was skipped and why, and what this tier does not run; then the closing line."""
    print()
    for name in total.failed:
        print(f"failed:  {name}")
    for name in total.skipped:
        print(f"skipped: {name}")
    for stage in left_out:
        print(f"not in this run: {stage.name} (make test-all)")
    print(results.closing_line(total), flush=True)


def budget(suite: model.Suite, stages: tuple[model.Stage, ...]) -> None:
    """Print the stages and what they may take."""
    for stage in stages:
        checks = ", ".join(check.name for check in stage.checks)
        print(f"{stage.minutes:5g} min  {stage.tier:4}  core {stage.core}  {stage.name}: {checks}")
    print(f"{suite.lab_minutes:5g} min  the lab from nothing")
    print(f"{suite.minutes('ci'):5g} min  the ci tier in all; its limit is {model.LIMIT_MINUTES}")


def interrupted(signum: int, frame: object) -> None:
    """SIGTERM ends a run as Ctrl-C does: the lab that this run brought up does not stay behind."""
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, interrupted)
    parser = argparse.ArgumentParser(prog="tars_suite", description="Run the stages of tests/suite/stages.yml.")
    parser.add_argument("--all", action="store_true", help="the long tier as well")
    parser.add_argument(
        "--stage", action="append", default=[], metavar="NAME", help="only this stage (may be repeated)"
    )
    parser.add_argument("--list", action="store_true", help="print the stages and their budgets, run nothing")
    args = parser.parse_args()
    suite = model.load(ROOT / "tests" / "suite" / "stages.yml")
    tiers = model.TIERS if args.all else ("ci",)
    if unknown := sorted(set(args.stage) - {stage.name for stage in suite.stages}):
        parser.error(f"no such stage: {', '.join(unknown)}; there are: {', '.join(s.name for s in suite.stages)}")
    stages = tuple(s for s in suite.stages if s.name in args.stage) if args.stage else suite.tier(*tiers)
    if args.list:
        budget(suite, stages)
        return 0
    total = results.Result()
    last_with_lab = max((number for number, stage in enumerate(stages) if stage.lab), default=-1)
    with lab_for(suite) as use:
        for number, stage in enumerate(stages):
            log = OUT / f"{number + 1:02}-{stage.name.replace(' ', '-')}.log"
            log.unlink(missing_ok=True)
            start = time.monotonic()
            result = run_stage(stage, use, log)
            show(number, stages, result, time.monotonic() - start, log)
            total += result
            if number == last_with_lab:
                use.down()
    summary(stages, () if args.stage else tuple(s for s in suite.stages if s not in stages), total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(
            "interrupted: the running command was ended; a lab that this run had brought up is down",
            file=sys.stderr,
        )
        sys.exit(130)
