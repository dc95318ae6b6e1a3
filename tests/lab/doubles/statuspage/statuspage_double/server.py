# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP: aiohttp requests become calls, replies become responses. Works with aiohttp 3.8 (Debian bookworm) and later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from . import auth, body, control, postmortem
from .call import Call, Refused, Reply, not_found, not_yet
from .journal import Journal
from .page import Page
from .routes import NOT_YET, ROUTES, Handler
from .trouble import Faults, Rate, rate

Answer = Callable[[Call], Reply]


class Double:
    """One page behind one key."""

    def __init__(self, page_id: str, token: str, strict: bool = True) -> None:
        self.page = Page(page_id)
        self.journal = Journal(token)
        self._token = token
        self._strict = strict
        self.strict = strict
        self.faults = Faults()
        self.rate = Rate()

    def app(self) -> web.Application:
        """The application, with every route in it."""
        app = web.Application()
        for method, path, own in control.ROUTES:
            app.router.add_route(method, path, _adapt(self._control(own)))
        for method, path in NOT_YET:
            self._add(app, method, path, _later(method, path))
        for method, path, handler in ROUTES:
            self._add(app, method, path, self._bound(handler))
        app.router.add_route("*", "/{any:.*}", _adapt(self._guarded(_unknown)))
        return app

    def _add(self, app: web.Application, method: str, path: str, answer: Answer) -> None:
        # A dot ends an id, so that `.json` can follow it.
        pattern = path.replace("}", ":[^/.]+}")
        for suffix in ("", ".json"):
            app.router.add_route(method, pattern + suffix, _adapt(self._guarded(answer)))

    def _bound(self, handler: Handler) -> Answer:
        return lambda call: handler(self.page, call, self.strict)

    def _guarded(self, answer: Answer) -> Answer:
        """Everything that holds for each call of the API: the key, the page, the rate window, planted faults."""

        def guarded(call: Call) -> Reply:
            at = self.page.stamp()
            try:
                auth.check(call, self._token)
                if call.args.get("page_id", self.page.id) != self.page.id:
                    # What the vendor answers to a key of another page is not documented.
                    raise not_found(f"no page {call.args['page_id']} for this key")
                reply = self._troubled(call) or answer(call)
            except Refused as refused:
                call.problems.append(refused.problem)
                reply = refused.reply
            self.journal.add(at, call, reply.status)
            return replace(reply, drop=True) if call.dropped else reply

        return guarded

    def _troubled(self, call: Call) -> Reply | None:
        fault = self.faults.take(call)
        call.dropped = fault is not None and fault.reply is None
        reply = fault.reply if fault else None
        reply = reply or self.rate.check(self.page.moment().timestamp())
        if reply is not None:
            body.peek(call)
        return reply

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start anew with what is given and all else as at the start; Refused when it makes no sense."""
        self.faults, self.rate, self.strict = Faults(), Rate(), self._strict
        self.page.load()
        self.journal.clear()
        faults, limit = Faults(given.get("faults", ())), rate(given["rate_limit"]) if "rate_limit" in given else Rate()
        self.page.load(given.get("components"), given.get("incidents"))
        self.page.postmortems = {
            key: {**postmortem.EMPTY, **held} for key, held in given.get("postmortems", {}).items()
        }
        self.faults, self.rate, self.strict = faults, limit, bool(given.get("strict", self._strict))

    def _control(self, handler: Callable[[control.Held, Call], Reply]) -> Answer:
        def answer(call: Call) -> Reply:
            try:
                return handler(self, call)
            except Refused as refused:
                return refused.reply

        return answer


def _later(method: str, path: str) -> Answer:
    def answer(call: Call) -> Reply:
        raise not_yet(f"{method} {path}")

    return answer


def _unknown(call: Call) -> Reply:
    raise not_found(f"no call {call.method} {call.path}")


def _adapt(answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(
            method=request.method,
            path=request.path,
            args=dict(request.match_info),
            query=list(request.query.items()),
            headers=request.headers,
            raw=await request.read(),
        )
        reply = answer(call)
        if reply.drop and request.transport is not None:
            request.transport.abort()
        if reply.text is not None:
            kind = "text/html" if reply.text.lstrip().startswith("<") else "text/plain"
            return web.Response(text=reply.text, status=reply.status, content_type=kind, headers=dict(reply.headers))
        if reply.status == 204:
            return web.Response(status=204, headers=dict(reply.headers))
        return web.json_response(reply.json, status=reply.status, headers=dict(reply.headers))

    return handle


async def serve(double: Double, host: str, port: int) -> tuple[web.AppRunner, Any]:
    """Start serving; returns the runner (its `cleanup()` ends it) and the address in use."""
    runner = web.AppRunner(double.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, runner.addresses[0]
