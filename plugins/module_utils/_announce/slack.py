# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Slack: a message is posted once and then updated by its time stamp; stages go into its thread.

Source: the vendor's Web API and incoming webhooks. chat.postMessage answers HTTP 200 even when it failed; what
cannot be
repeated safely (a post that brought no answer) is not repeated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, digest, refuse
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, bearer

API = "https://slack.com/api"
TEXT_LIMIT, SECTION_LIMIT, BLOCK_LIMIT = 40000, 3000, 50


@dataclass(frozen=True)
class Slack:
    """A workspace by its bot's token, or one channel by its webhook, which can only post."""

    token: str = field(default="", repr=False)
    webhook: str = field(default="", repr=False)
    base_url: str = API


def escaped(text: str) -> str:
    """Plain text as Slack wants it: three characters would begin markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def check(text: str, blocks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what Slack would refuse or cut."""
    if not text.strip():
        raise refuse("The text is empty", "Give text: it is shown in notifications, whatever the blocks are")
    if len(text) > TEXT_LIMIT:
        raise refuse(f"The text has {len(text)} characters, more than {TEXT_LIMIT}", "Shorten it")
    if len(blocks) > BLOCK_LIMIT:
        raise refuse(f"There are {len(blocks)} blocks, more than {BLOCK_LIMIT}", "Take fewer")
    for block in blocks:
        inner = block.get("text")
        if isinstance(inner, Mapping) and len(str(inner.get("text", ""))) > SECTION_LIMIT:
            raise refuse(f"A block has more than {SECTION_LIMIT} characters", "Divide it")


def say(wire: Wire, slack: Slack, wanted: Mapping[str, Any], sent: Mapping[str, Any]) -> Outcome:
    """Post ``wanted`` (channel, text, blocks, thread_ts), or update what ``sent`` (channel, ts, digest) tells of.

    With a webhook there is no id, so what was sent is never sent again and cannot be updated.
    """
    body = {"text": wanted["text"], **({"blocks": wanted["blocks"]} if wanted.get("blocks") else {})}
    check(wanted["text"], wanted.get("blocks") or ())
    mark = digest(body)
    after = {"channel": wanted.get("channel", "webhook"), "text": wanted["text"]}
    before = {"channel": sent["channel"], "text": sent.get("text", "")} if sent else {}
    if sent and (sent.get("digest") == mark or slack.webhook):
        return Outcome("unchanged", sent)
    act = "updated" if sent else "sent"
    if wire.check_mode:
        return Outcome(act, sent, before, after)
    if slack.webhook:
        _hook(wire, slack.webhook, body)
        return Outcome(act, {"channel": "webhook", "digest": mark, "text": wanted["text"]}, before, after)
    with wire.client(slack.base_url, bearer(slack.token)) as client:
        if sent:
            _api(client, "chat.update", {"channel": sent["channel"], "ts": sent["ts"], **body}, repeat=True)
            ids = {**sent, "digest": mark, "text": wanted["text"]}
        else:
            thread = {"thread_ts": wanted["thread_ts"]} if wanted.get("thread_ts") else {}
            answer = _api(client, "chat.postMessage", {"channel": wanted["channel"], **thread, **body}, repeat=False)
            ids = {"channel": answer["channel"], "ts": answer["ts"], "digest": mark, "text": wanted["text"]}
    return Outcome(act, ids, before, after)


def tell(wire: Wire, slack: Slack, message: Mapping[str, Any], sent: Mapping[str, Any]) -> Outcome:
    """One message for the whole rollout, kept up to date, and one line in its thread for each event.

    ``message``: channel, text, and optionally reply, event and late; ``sent`` holds the ids of both. What is late has
    its line only: the message itself says something newer.
    """
    held = sent.get("root", {})
    root = Outcome("unchanged", held) if message.get("late") and held else say(wire, slack, message, held)
    ids = {"root": dict(root.ids), "replies": dict(sent.get("replies", {}))}
    reply = message.get("reply")
    if not reply or slack.webhook:
        return Outcome(root.act, ids, root.before, root.after)
    if root.changed and not wire.check_mode:
        # The line may still fail: the message is there, and must not come a second time.
        wire.keep(ids)
    name = str(message.get("event") or digest(reply))
    thread = root.ids.get("ts", "not yet")
    wanted = {"channel": root.ids.get("channel", message["channel"]), "text": reply, "thread_ts": thread}
    below = say(wire, slack, wanted, ids["replies"].get(name, {}))
    if below.ids:
        ids["replies"][name] = dict(below.ids)
    act = root.act if root.changed else below.act
    return Outcome(act, ids, {**root.before, "reply": below.before.get("text")}, {**root.after, "reply": reply})


def _api(client: Client, method: str, body: Mapping[str, Any], *, repeat: bool) -> Mapping[str, Any]:
    answer = client.json("POST", method, json=body, idempotent=repeat)
    if isinstance(answer, Mapping) and answer.get("ok") is True:
        return answer
    error = str(answer.get("error", "no error named")) if isinstance(answer, Mapping) else "an odd answer"
    raise refuse(
        f"Slack refused {method} in channel {body['channel']}: {error}",
        _HINTS.get(error, "Look the word up in Slack's description of the method"),
        reason="slack_refused",
        error=error,
    )


def _hook(wire: Wire, url: str, body: Mapping[str, Any]) -> None:
    # The address is the secret; its last part alone is enough to recognise it.
    place, _slash, secret = url.rstrip("/").rpartition("/")
    wire.scrubber.add(url, secret)
    with wire.client(place, {}) as client:
        answer = client.call("POST", secret, json=body, idempotent=False)
    if answer.text.strip() != "ok":
        raise refuse(
            f"The webhook answered {answer.text[:80]!r} and not ok", "Check its address", reason="slack_refused"
        )


_HINTS = {
    "channel_not_found": "Check the channel; give its id, and invite the bot to it",
    "not_in_channel": "Invite the bot to the channel",
    "is_archived": "Give a channel that is not archived",
    "invalid_auth": "Check the token: it begins with xoxb-",
    "not_authed": "Give a token",
    "msg_blocks_too_long": "Take fewer or shorter blocks",
}
