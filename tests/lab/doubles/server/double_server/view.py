# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for a person: what subscribers, channels and people on call would have seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .api import Api, Message

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; background: #f4f5f7; color: #1c2430 }
header { background: #1c2430; color: #fff; padding: 18px 32px }
header h1 { font-size: 20px; margin: 0 } header p { margin: 4px 0 0; opacity: .75 }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 20px; padding: 24px 32px }
section { background: #fff; border: 1px solid #dde1e7; border-radius: 8px; padding: 16px 20px }
section h2 { font-size: 16px; margin: 0 0 8px; text-transform: capitalize }
article { border-top: 1px solid #eceff3; padding: 10px 0 } article h3 { font-size: 15px; margin: 0 0 2px }
.place { color: #5b6675; font-size: 13px } .none { color: #5b6675 }
.mark { float: right; font-size: 12px; padding: 1px 8px; border-radius: 10px; background: #e6e9ee }
.good { background: #d8f3e0; color: #14532d } .bad { background: #fde0df; color: #7f1d1d }
.warn { background: #fdf0d0; color: #713f12 }
ul { margin: 4px 0 0; padding-left: 18px } li { white-space: pre-wrap; overflow-wrap: anywhere }
code { font-size: 13px }
"""
_COLOURS = {
    "good": {"operational", "resolved", "completed", "resolve", "success", "postmortem"},
    "bad": {"major_outage", "critical", "error", "failure", "investigating", "trigger", "problem"},
    "warn": {"identified", "partial_outage", "degraded_performance", "warning", "in_progress", "verifying",
             "monitoring", "under_maintenance", "pending", "acknowledge"},
}  # fmt: skip
SHOWN = 30


def page(apis: Sequence[Api], entries: Sequence[dict[str, object]]) -> str:
    """The whole document. `entries` is the journal, oldest first."""
    sections = [_section(api.name, api.messages()) for api in apis]
    wrong = [
        Message(f"{entry['method']} {entry['path']}", f"HTTP {entry['status']}", _lines(entry["problems"]), "problem")
        for entry in reversed(entries)
        if entry["problems"]
    ]
    sections.append(_section(f"requests ({len(entries)}), with problems", wrong))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Doubles</title>'
        f"<style>{_STYLE}</style></head>"
        "<body><header><h1>What people would have seen</h1>"
        "<p>Doubles of the services that a rollout announces to. Nothing here left this machine.</p></header>"
        f"<main>{''.join(sections)}</main></body></html>"
    )


def _lines(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, Iterable) and not isinstance(value, str) else [str(value)]


def _section(title: str, messages: Sequence[Message]) -> str:
    body = "".join(map(_article, messages[:SHOWN])) or '<p class="none">Nothing.</p>'
    more = f'<p class="none">and {len(messages) - SHOWN} more</p>' if len(messages) > SHOWN else ""
    return f"<section><h2>{escape(title)}</h2>{body}{more}</section>"


def _article(message: Message) -> str:
    colour = next((name for name, words in _COLOURS.items() if message.mark in words), "")
    mark = f'<span class="mark {colour}">{escape(message.mark)}</span>' if message.mark else ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in message.lines)
    return (
        f'<article>{mark}<h3>{escape(message.title)}</h3><div class="place">{escape(message.place)}</div>'
        f"{f'<ul>{lines}</ul>' if lines else ''}</article>"
    )
