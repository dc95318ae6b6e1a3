# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plug-in: one workspace, one bot, one webhook."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from double_server import api
from double_server.call import Call, Refused, Reply
from double_server.clock import Clock

CHANNELS = {"C0DEPLOY0001": "tars-deployments", "C0SUPPORT001": "tars-support", "C0LEADERS001": "tars-leadership"}
WEBHOOK_CHANNEL = "C0DEPLOY0001"
BLOCKS, TEXT_OF_BLOCKS = 50, 13000
_FORM = "application/x-www-form-urlencoded"


class Plugin(api.Api):
    name = "slack"
    prefixes = ("/api/", "/services/")
    contract = str(Path(__file__).with_name("slack.yaml"))

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock, token)
        self._channels: dict[str, str] = {}
        self._archived: set[str] = set()
        self._messages: list[dict[str, Any]] = []
        self._count = 0

    def routes(self) -> Sequence[tuple[str, str, api.Handler]]:
        return (
            ("POST", "/api/chat.postMessage", self._post),
            ("POST", "/api/chat.update", self._update),
            ("POST", "/api/auth.test", self._test),
            ("POST", "/services/{team}/{app}/{secret}", self._hook),
        )

    def admit(self, call: Call) -> None:
        if call.path.startswith("/services/"):
            if not hmac.compare_digest(call.args.get("secret", "").encode(), self.token.encode()):
                raise _text(404, "no_service")
            return
        scheme, _space, given = call.headers.get("Authorization", "").partition(" ")
        if not given:
            raise _no("not_authed", "no Authorization header")
        if scheme != "Bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise _no("invalid_auth", f"scheme word {scheme[:20]!r} or a wrong token")

    def refuse(self, problem: str) -> Refused:
        return _no("invalid_arguments", f"against the contract: {problem}")

    def absent(self, problem: str) -> Refused:
        return _no("unknown_method", problem)

    def limited(self, wait: int, status: int) -> Reply:
        return Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(wait)})

    def start(self, given: Mapping[str, Any]) -> None:
        self._channels = dict(given.get("channels", CHANNELS))
        self._archived = set(given.get("archived", ()))
        self._messages, self._count = [], 0

    def state(self) -> Any:
        return {"channels": self._channels, "messages": self._messages}

    def messages(self) -> Sequence[api.Message]:
        roots = [message for message in reversed(self._messages) if "thread_ts" not in message]
        return [self._shown(message) for message in roots]

    def _shown(self, message: Mapping[str, Any]) -> api.Message:
        thread = [unescape(item["text"]) for item in self._messages if item.get("thread_ts") == message["ts"]]
        lines = [f"in the thread: {text}" for text in thread]
        mark = "edited" if "edited" in message else ""
        return api.Message(f"#{self._channels[message['channel']]}", unescape(message["text"]), lines, mark)

    def _test(self, call: Call) -> Reply:
        return Reply(
            200, {"ok": True, "team": "T.A.R.S.", "user": "rollout", "team_id": "T00000000", "user_id": "U0000001"}
        )

    def _post(self, call: Call) -> Reply:
        values = _values(call)
        channel = self._channel(values.get("channel", ""))
        self._check(values)
        thread = values.get("thread_ts")
        if thread is not None and not any(item["ts"] == thread for item in self._messages):
            raise _no("thread_not_found", f"no message {thread}")
        message = self._add(channel, values)
        if thread is not None:
            message["thread_ts"] = thread
        return Reply(200, {"ok": True, "channel": channel, "ts": message["ts"], "message": message})

    def _update(self, call: Call) -> Reply:
        values = _values(call)
        channel = self._channel(values.get("channel", ""))
        self._check(values)
        message = next(
            (item for item in self._messages if (item["channel"], item["ts"]) == (channel, values.get("ts"))), None
        )
        if message is None:
            raise _no("message_not_found", f"no message {values.get('ts')} in {channel}")
        message.update(text=values.get("text", ""), edited={"ts": self._stamp()})
        if "blocks" in values:
            message["blocks"] = values["blocks"]
        return Reply(
            200, {"ok": True, "channel": channel, "ts": message["ts"], "text": message["text"], "message": message}
        )

    def _hook(self, call: Call) -> Reply:
        try:
            values = _values(call)
            self._check(values)
        except Refused as refused:
            raise _text(400, "invalid_payload", refused.problem) from None
        if WEBHOOK_CHANNEL in self._archived:
            raise _text(410, "channel_is_archived")
        self._add(WEBHOOK_CHANNEL, values)
        return Reply(200, None, text="ok")

    def _channel(self, given: str) -> str:
        names = {name: key for key, name in self._channels.items()}
        channel = given if given in self._channels else names.get(given.removeprefix("#"), "")
        if not channel:
            raise _no("channel_not_found", f"no channel {given!r}")
        if channel in self._archived:
            raise _no("is_archived", f"{given} is archived")
        return channel

    def _check(self, values: Mapping[str, Any]) -> None:
        blocks = values.get("blocks") or []
        if not values.get("text") and not blocks and not values.get("attachments"):
            raise _no("no_text", "neither text nor blocks")
        if len(values.get("text") or "") > 40000:
            raise _no("msg_too_long", "text is cut at 40000")
        if len(blocks) > BLOCKS:
            raise _no("invalid_blocks", f"{len(blocks)} blocks")
        if len(json.dumps(blocks)) > TEXT_OF_BLOCKS:
            raise _no("msg_blocks_too_long", "the blocks have too much text")

    def _add(self, channel: str, values: Mapping[str, Any]) -> dict[str, Any]:
        self._count += 1
        # Attachments are the old form, which Alertmanager sends: their fallback is what notifications show.
        old = [str(item.get("fallback") or item.get("title") or "") for item in values.get("attachments") or ()]
        text = values.get("text") or "\n".join(old)
        message = {"channel": channel, "ts": self._stamp(), "text": text, "type": "message"}
        if values.get("blocks"):
            message["blocks"] = values["blocks"]
        self._messages.append(message)
        return message

    def _stamp(self) -> str:
        # As the vendor's: seconds, and a number that makes it the only one.
        return f"{int(self.clock.now().timestamp())}.{self._count:06d}"


def _values(call: Call) -> dict[str, Any]:
    """The arguments, from JSON or from a form, as the vendor's own library sends them."""
    kind = call.headers.get("Content-Type", "").split(";")[0].strip().lower()
    text = call.raw.decode("utf-8", "replace")
    if kind == _FORM:
        pairs = dict(parse_qsl(text, keep_blank_values=True))
        blocks = {"blocks": json.loads(pairs["blocks"])} if "blocks" in pairs else {}
        call.parsed = {**pairs, **blocks}
    else:
        try:
            call.parsed = json.loads(text or "{}")
        except ValueError:
            raise _no("invalid_json", "the body is no JSON") from None
    if not isinstance(call.parsed, dict):
        raise _no("json_not_object", "the body is no object")
    return call.parsed


def _no(error: str, problem: str) -> Refused:
    return Refused(200, {"ok": False, "error": error}, problem)


def _text(status: int, word: str, problem: str = "") -> Refused:
    refused = Refused(status, None, problem or word)
    refused.reply = Reply(status, None, text=word)
    return refused
