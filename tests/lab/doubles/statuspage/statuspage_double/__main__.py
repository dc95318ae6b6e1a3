# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m statuspage_double --host 127.0.0.1 --port 8080 --token-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from .server import Double, serve


def main() -> int:
    """Serve until SIGINT or SIGTERM; 0 then, 2 when it cannot start."""
    args = _arguments()
    try:
        token = Path(args.token_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        return _fail(f"cannot read the token from {args.token_file}: {error.strerror}")
    if not token or not token.isprintable() or " " in token:
        return _fail(f"the token in {args.token_file} is empty or has characters that no header can carry")
    double = Double(args.page, token, strict=args.unknown_keys == "refuse")
    try:
        asyncio.run(_serve(double, args.host, args.port))
    except OSError as error:
        return _fail(f"cannot listen on {args.host} port {args.port}: {error.strerror}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="statuspage_double", description="A strict double of Statuspage's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0: any free one, printed at the start")
    parser.add_argument("--token-file", required=True, help="file with the key that clients must send")
    parser.add_argument("--page", default="kctbh9vrtdwd", help="id of the one page")
    parser.add_argument(
        "--unknown-keys",
        choices=("refuse", "ignore"),
        default="refuse",
        help="what to do with keys that the API does not know; both are noted in the journal",
    )
    return parser.parse_args()


async def _serve(double: Double, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner, address = await serve(double, host, port)
    print(f"statuspage double: page {double.page.id} on http://{address[0]}:{address[1]}/v1", flush=True)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


def _fail(text: str) -> int:
    print(f"statuspage double: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
