# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `lab load`: arguments in, a summary out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tarslab.load import plan as plans
from tarslab.load.plan import Plan, PlanError
from tarslab.load.report import ProgressLines, summary_lines
from tarslab.load.runner import run
from tarslab.load.summary import FAILED, PASSED, TOO_SLOW

EXIT_CODES = {PASSED: 0, FAILED: 3, TOO_SLOW: 4}
EXIT_USAGE = 2
GATEWAYS = {"istio": "LAB_GATEWAY_URL", "gateway_api": "LAB_GATEWAY_API_URL"}

EPILOG = f"""
Request i leaves at start + i / rps, however slow the answers are. Limits: {plans.MAX_RPS} requests per second,
{plans.MAX_DURATION / 3600:g} hours, this machine's loopback.

exit code: 0 no request failed; 2 wrong usage, nothing was sent; 3 requests failed; 4 the generator itself was too slow
(or ran out of ports or files), so the run says nothing about the system. WebSockets that the other side ended are
reported as cuts and are no failures: a roll of pods ends each of them once.
Ctrl-C or SIGTERM: nothing new is sent, answers are waited for, the summary is printed; a second time: at once.
"""


def add_parser(subparsers: Any) -> None:
    """Add the parser of `lab load` to the lab's own."""
    parser = subparsers.add_parser(
        "load",
        help="send steady load through the gateway and account for every request",
        description="Send steady load through the lab's gateway and account for every request.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rps", type=float, default=100, help="requests per second, in all (100)")
    add("--duration", type=float, default=None, metavar="S", help="seconds (60; with --until-signal: the limit)")
    add("--until-signal", action="store_true", help="go on until SIGINT or SIGTERM")
    add("--services", action="append", default=[], metavar="NAME[=SHARE],...", help="default: all that have a route")
    add("--region", "--regions", action="append", default=[], dest="regions", metavar="REGION,...", help="default: all")
    add("--gateway", choices=sorted(GATEWAYS), default="istio", help="whose routes to use (istio)")
    add("--target", metavar="URL", help="another gateway on the loopback, such as http://127.0.0.1:8080")
    add("--path", default="/", help="path of each request (/)")
    add("--header", action="append", default=[], metavar="NAME=VALUE", help="sent with everything; may be repeated")
    add(
        "--new-connections",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="0 to 1: share on a connection of its own (0)",
    )
    add("--websockets", type=int, default=0, metavar="N", help="long-lived WebSocket connections beside it (0)")
    add("--websocket-path", default="/ws", help="path of the WebSockets (/ws)")
    add("--timeout", type=float, default=10.0, metavar="S", help="seconds a request may take (10)")
    add("--max-in-flight", type=int, default=0, metavar="N", help="requests without an answer (rps x time-out x 1.1)")
    add("--seed", type=int, default=1, help="of the spread over services, regions and connections (1)")
    add("--out", type=Path, metavar="FILE", help="one JSON line per request and per WebSocket")
    add("--json", action="store_true", help="the summary as JSON on stdout")


def main(args: argparse.Namespace, lab_env: Mapping[str, str]) -> int:
    """Run `lab load`; returns the exit code. `lab_env` is the lab's env.json (may be empty with --target)."""
    try:
        summary = run(make_plan(args, lab_env), args.out, ProgressLines())
    except PlanError as error:
        print(f"lab load: {error}", file=sys.stderr)
        return EXIT_USAGE
    if args.json:
        print(json.dumps(summary.to_json(), indent=2))
    else:
        print("\n".join(summary_lines(summary)))
    return EXIT_CODES[summary.verdict]


def make_plan(args: argparse.Namespace, lab_env: Mapping[str, str]) -> Plan:
    """Turn arguments into a plan; what was not given follows from the lab."""
    target = args.target or lab_env.get(GATEWAYS[args.gateway], "")
    if not target:
        raise PlanError("the lab's gateway is not known; start the lab with `lab up`, or name one with --target")
    there = _words([lab_env.get("LAB_REGIONS", "")])
    regions = _words(args.regions) or there
    routed = plans.ROUTED if args.gateway == "istio" else plans.ROUTED_GATEWAY_API
    services = plans.parse_services(args.services) or dict.fromkeys(routed, 1.0)
    if not args.target:
        # A gateway answers 404 for what does not exist, which would read like a failure of the system.
        _refuse_unknown("region", [region.replace("-", "_") for region in regions], there)
        _refuse_unknown("service", services, routed)
    default = plans.MAX_DURATION if args.until_signal else 60.0
    return Plan(
        target=target,
        regions=tuple(regions),
        services=services,
        rps=args.rps,
        duration=default if args.duration is None else args.duration,
        path=args.path,
        headers=_headers(args.header),
        new_share=args.new_connections,
        websockets=args.websockets,
        websocket_path=args.websocket_path,
        timeout=args.timeout,
        max_in_flight=args.max_in_flight,
        seed=args.seed,
    )


def _refuse_unknown(kind: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise PlanError(f"this lab has no {kind} {', '.join(unknown)} with a route; it has {', '.join(known)}")


def _words(given: list[str]) -> list[str]:
    return [word.strip() for words in given for word in words.split(",") if word.strip()]


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in given:
        name, sep, value = text.partition("=")
        if not sep or not name.strip() or not (name + value).isprintable():
            raise PlanError(f"header {text!r}: NAME=VALUE is wanted, such as x-canary=true")
        headers[name.strip()] = value.strip()
    return headers
