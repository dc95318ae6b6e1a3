# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single requests: on kept-alive connections, or each on a connection of its own."""

from __future__ import annotations

from types import TracebackType

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from tarslab.load import outcome as oc
from tarslab.load.plan import NEW, Draw, Plan, host_name


class Sender:
    """Sends requests through the gateway. An `async with` closes its connections."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._url = URL(plan.target.rstrip("/") + plan.path)
        self._headers: dict[tuple[str, str], CIMultiDict[str]] = {}

    async def __aenter__(self) -> Sender:
        # No limits of aiohttp's own (the plan bounds what is in flight), no cookies, no proxies of the environment.
        self._kept = self._session(aiohttp.TCPConnector(limit=0, keepalive_timeout=60))
        self._new = self._session(aiohttp.TCPConnector(limit=0, force_close=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._kept.close()
        await self._new.close()

    async def send(self, draw: Draw) -> oc.Result:
        """Send one request, read the whole answer and say what became of it. Never raises for what a network does."""
        session = self._new if draw.kind == NEW else self._kept
        version, status = "", 0
        try:
            async with session.get(self._url, headers=self._headers_for(draw), allow_redirects=False) as response:
                status, version = response.status, response.headers.get("x-version", "")
                body = await response.read()
                return oc.of_answer(status, response.headers, draw.service, body)
        except (aiohttp.ClientError, OSError) as error:
            return oc.of_error(error, version, status)

    def _headers_for(self, draw: Draw) -> CIMultiDict[str]:
        key = (draw.service, draw.region)
        if key not in self._headers:
            self._headers[key] = headers_for(self._plan, draw)
        return self._headers[key]

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._plan.timeout),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
            max_line_size=65536,
            max_field_size=65536,
        )
        # aiohttp repeats a GET by itself when a kept connection turns out to be closed. That would hide the very resets
        # that this program counts; there is no public switch (a unit test shows that this one works).
        session._retry_connection = False
        return session


def headers_for(plan: Plan, draw: Draw) -> CIMultiDict[str]:
    """The headers of a plan's request: the Host picks the service, for the connection goes to an address."""
    headers = CIMultiDict({"Host": host_name(draw.service, draw.region), "User-Agent": "tars-lab-load"})
    headers.update(plan.headers)
    return headers
