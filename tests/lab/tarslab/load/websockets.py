# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived WebSockets: opened, listened to, opened again after each cut. Weights do not move them; pods' ends do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp
from yarl import URL

from tarslab.load import outcome as oc
from tarslab.load.plan import Draw, Plan
from tarslab.load.sender import headers_for

PAUSE = 0.2
"""Seconds between an end and the next attempt: a fleet of clients that does not hammer."""

Report = Callable[[Draw, float, float, float, oc.Result, int], None]
"""Called with: where, opened at (monotonic s), handshake (s), open for (s), how it ended, lines that came."""


class Keeper:
    """Keeps one WebSocket open until its task is cancelled."""

    def __init__(self, plan: Plan, draw: Draw, report: Report) -> None:
        self._plan = plan
        self._draw = draw
        self._report = report
        self._url = URL(plan.target.rstrip("/") + plan.websocket_path)
        self._version = ""
        self._status = 0

    async def keep(self) -> None:
        """Open, listen, report the end, open again. The end by cancelling is reported as `ok`."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._read_head)
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None), trace_configs=[trace]
        ) as session:
            while True:
                await self._once(session)
                await asyncio.sleep(PAUSE)

    async def _once(self, session: aiohttp.ClientSession) -> None:
        self._version, self._status = "", 0
        begun = time.monotonic()
        headers = headers_for(self._plan, self._draw)
        try:
            async with asyncio.timeout(self._plan.timeout):
                socket = await session.ws_connect(
                    self._url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0), max_msg_size=1 << 20
                )
        except aiohttp.WSServerHandshakeError as error:
            # Without a 101 the answer is judged as that of a request; a 200 is no WebSocket either.
            result = oc.of_answer(error.status, error.headers or {}, self._draw.service)
            if result.outcome in (oc.OK, oc.NO_VERSION, oc.WRONG_SERVICE):
                result = oc.Result(oc.HTTP_OTHER, result.version, error.status, "no upgrade")
            self._report(self._draw, begun, time.monotonic() - begun, 0.0, result, 0)
            return
        except (aiohttp.ClientError, OSError) as error:
            self._report(self._draw, begun, time.monotonic() - begun, 0.0, oc.of_error(error), 0)
            return
        await self._listen(socket, begun)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, begun: float) -> None:
        opened, lines = time.monotonic(), 0
        detail = "this side left"
        outcome = oc.OK
        try:
            while True:
                message = await socket.receive(timeout=self._plan.websocket_silence)
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    lines += max(1, len(message.data.splitlines()))
                    continue
                outcome, detail = oc.CUT, f"closed by the other side, code {socket.close_code}"
                break
        except TimeoutError:
            outcome, detail = oc.CUT, f"silent for {self._plan.websocket_silence:g} s"
        except (aiohttp.ClientError, OSError) as error:
            outcome, detail = oc.CUT, f"{type(error).__name__}: {error}"
        finally:
            # Also on the way out of a cancelled task: what was open until the end is reported as such.
            result = oc.Result(outcome, self._version, self._status, "" if outcome == oc.OK else detail)
            self._report(self._draw, begun, opened - begun, time.monotonic() - opened, result, lines)
            await socket.close()

    async def _read_head(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        # The object that ws_connect returns does not show the answer's headers; this hook does.
        self._version = params.response.headers.get("x-version", "")
        self._status = params.response.status
