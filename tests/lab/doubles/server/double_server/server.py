# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a call is for, and what holds for every call of every API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import body, contract, control
from .api import Api, Handler
from .call import Call, Refused, Reply, not_found
from .clock import Clock
from .contract import Contract
from .journal import Journal
from .trouble import Faults, Rate, rate


class Server:
    """The doubles of several APIs behind one address."""

    def __init__(self, apis: Sequence[Api], clock: Clock, token: str, strict: bool = True) -> None:
        self.apis = apis
        self.clock = clock
        self.journal = Journal(token)
        self.faults = Faults()
        self._strict = strict
        self._seen = clock.now()
        self._rates = {api.name: Rate() for api in apis}
        self._contracts = {api.name: Contract(api.contract) for api in apis}
        self._routes = [
            (api, method, _pattern(path, api.suffix), handler) for api in apis for method, path, handler in api.routes()
        ]
        self.reset({})

    def answer(self, call: Call) -> Reply:
        """The answer to any call."""
        if call.path == "/" or call.path.startswith("/_double/"):
            try:
                return control.answer(self, call)
            except Refused as refused:
                return refused.reply
        api = next((item for item in self.apis if call.path.startswith(tuple(item.prefixes))), None)
        if api is None:
            refused = not_found(f"no API has the path {call.path}")
            return self._noted(call, refused.reply, refused.problem)
        self.tick()
        return self._guarded(api, call)

    def _noted(self, call: Call, reply: Reply, problem: str = "") -> Reply:
        call.problems += [problem] if problem else []
        self.journal.add(self.journal_time(), call, reply.status)
        return replace(reply, drop=True) if call.dropped else reply

    def journal_time(self) -> str:
        """Now, as the journal writes it."""
        return self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _guarded(self, api: Api, call: Call) -> Reply:
        at = self.journal_time()
        try:
            reply = self._reply(api, call)
        except Refused as refused:
            call.problems.append(refused.problem)
            reply = refused.reply
        self.journal.add(at, call, reply.status)
        return replace(reply, drop=True) if call.dropped else reply

    def _reply(self, api: Api, call: Call) -> Reply:
        handler = self._find(api, call)
        api.admit(call)
        troubled = self._troubled(api, call)
        if troubled is not None:
            return troubled
        if handler is None:
            raise api.absent(f"no call {call.method} {call.path}")
        wrong = self._contracts[api.name].request(call, api.suffix)
        if wrong and not api.lenient:
            raise api.refuse("; ".join(wrong))
        try:
            reply = handler(call)
        except Refused as refused:
            self._check(api, call, refused.reply)
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if contract.available:
                raise
            # Without openapi-core nobody has looked at the form of the request before; with it this is our own fault.
            raise api.refuse(f"the request has not the form that is wanted: {error!r}") from error
        call.problems += [f"against the contract: {problem}" for problem in wrong]
        self._check(api, call, reply)
        return reply

    def _check(self, api: Api, call: Call, reply: Reply) -> None:
        """A double that answers what its own document does not say is wrong itself."""
        wrong = self._contracts[api.name].response(call, reply, api.suffix)
        call.problems += [f"the double's own answer is against its contract: {problem}" for problem in wrong]

    def _find(self, api: Api, call: Call) -> Handler | None:
        for owner, method, pattern, handler in self._routes:
            found = pattern.fullmatch(call.path) if owner is api and method == call.method else None
            if found:
                call.args = found.groupdict()
                return handler
        return None

    def _troubled(self, api: Api, call: Call) -> Reply | None:
        fault = self.faults.take(call)
        call.dropped = fault is not None and fault.reply is None
        call.hang = fault.hang if fault else 0.0
        reply = fault.reply if fault else None
        if reply is None:
            wait = self._rates[api.name].check(self.clock.now().timestamp())
            reply = api.limited(wait, self._rates[api.name].status) if wait else None
        if reply is not None:
            body.peek(call)
        return reply

    def tick(self) -> None:
        """Let the services do what time makes them do."""
        now = self.clock.now()
        for api in self.apis:
            api.moved(self._seen, now)
        self._seen = now

    def plant(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """These faults instead of those before."""
        self.faults = Faults(faults)

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start anew with what is given and all else as at the start; Refused when it makes no sense."""
        self.faults = Faults()
        self._rates = {api.name: Rate() for api in self.apis}
        self.clock.reset()
        self.journal.clear()
        faults = Faults(given.get("faults", ()))
        rates = dict(given.get("rates", {}))
        if "rate_limit" in given:
            rates["statuspage"] = given["rate_limit"]
        for api in self.apis:
            api.strict = bool(given.get("strict", self._strict))
            # The status page was there first: what belongs to it stands at the top.
            api.start(given if api.name == "statuspage" else given.get(api.name, {}))
        self.faults = faults
        self._rates |= {name: rate(limit) for name, limit in rates.items()}
        self._seen = self.clock.now()


def _pattern(path: str, suffix: str) -> re.Pattern[str]:
    # A dot ends a name where a suffix may follow it.
    part = r"[^/.]+" if suffix else r"[^/]+"
    pieces = re.split(r"\{(\w+)\}", path)
    text = "".join(re.escape(piece) if index % 2 == 0 else f"(?P<{piece}>{part})" for index, piece in enumerate(pieces))
    return re.compile(text + (f"(?:{re.escape(suffix)})?" if suffix else ""))
