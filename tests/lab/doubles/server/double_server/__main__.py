# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m double_server --host 127.0.0.1 --port 8080 --token-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import ssl
import sys
from importlib import import_module
from pathlib import Path

from . import contract
from .api import Api
from .clock import Clock
from .http import serve
from .server import Server

APIS = ("statuspage", "slack", "pagerduty", "github")


def main() -> int:
    """Serve until SIGINT or SIGTERM; 0 then, 2 when it cannot start."""
    args = _arguments()
    try:
        token = Path(args.token_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        return _fail(f"cannot read the token from {args.token_file}: {error.strerror}")
    if not token or not token.isprintable() or " " in token:
        return _fail(f"the token in {args.token_file} is empty or has characters that no header can carry")
    if args.contract == "required" and not contract.available:
        return _fail("openapi-core is not installed, and --contract required was given")
    tls = None
    if args.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.certificate)
    clock = Clock()
    apis = [_api(name, clock, token, args.page) for name in args.apis.split(",")]
    server = Server(apis, clock, token, strict=args.unknown_keys == "refuse")
    try:
        asyncio.run(_serve(server, args.host, args.port, tls))
    except OSError as error:
        return _fail(f"cannot listen on {args.host} port {args.port}: {error.strerror}")
    return 0


def _api(name: str, clock: Clock, token: str, page: str) -> Api:
    plugin = import_module(f"{name}_double.plugin").Plugin
    made: Api = plugin(clock, token, page) if name == "statuspage" else plugin(clock, token)
    return made


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="double_server", description="Strict doubles of services on the internet.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0: any free one, printed at the start")
    parser.add_argument("--token-file", required=True, help="file with the key that clients must send")
    parser.add_argument("--apis", default=",".join(APIS), help="which, by comma")
    parser.add_argument("--page", default="kctbh9vrtdwd", help="id of the one status page")
    parser.add_argument("--certificate", default="", help="file with certificate and key: serve https")
    parser.add_argument(
        "--contract",
        choices=("required", "where-installed"),
        default="where-installed",
        help="whether openapi-core must be there to check every request and answer",
    )
    parser.add_argument(
        "--unknown-keys",
        choices=("refuse", "ignore"),
        default="refuse",
        help="what to do with keys that the API does not know; both are noted in the journal",
    )
    return parser.parse_args()


async def _serve(server: Server, host: str, port: int, tls: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner, address = await serve(server, host, port, tls)
    scheme = "https" if tls else "http"
    names = ", ".join(api.name for api in server.apis)
    print(f"doubles: {names} on {scheme}://{address[0]}:{address[1]}", flush=True)
    try:
        await stop.wait()
    finally:
        # A call that hangs on purpose must not keep the process. A TimeoutError is an OSError to whoever catches one.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), 5)


def _fail(text: str) -> int:
    print(f"doubles: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
