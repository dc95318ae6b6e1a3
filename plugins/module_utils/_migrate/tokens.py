# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""SQL as a sequence of tokens: enough to find where statements end and what an index statement says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    |(?P<escape>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    |(?P<string>'(?:[^']|'')*(?:'|\Z))
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    |(?P<word>[^\W\d][\w$]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """``kind``: word, quoted, string or other; ``start`` and ``end`` in the text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """A keyword in lower case, empty for anything else."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def identifier(self) -> str:
        """The name that it stands for, empty when it is none."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.text.lower() if self.kind == "word" else ""


def tokens(text: str) -> Iterator[Token]:
    """Without space and comments; what never ends reaches to the end of the text."""
    at = 0
    while (match := _TOKEN.match(text, at)) is not None:
        kind, end = match.lastgroup or "other", match.end()
        if kind == "comment":
            end = _comment(text, match.start())
        elif kind == "dollar":
            found = text.find(match[0], end)
            end = len(text) if found < 0 else found + len(match[0])
            kind = "string"
        if kind not in ("space", "comment"):
            kind = "string" if kind == "escape" else kind
            yield Token(kind, text[match.start() : end], match.start(), end)
        at = end


def _comment(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        if text.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif text.startswith("*/", at):
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    return len(text)


def statements(text: str) -> list[str]:
    """The statements of a file, without their semicolons and without those that say nothing."""
    found, begin, words = [], 0, False
    depth = 0  # BEGIN ATOMIC ... END of a function's body
    before = ""
    for token in tokens(text):
        if (token.word == "atomic" and before == "begin") or (depth and token.word == "case"):
            depth += 1
        elif depth and token.word == "end":
            depth -= 1
        if token.text == ";" and depth == 0:
            if words:
                found.append(text[begin : token.start].strip())
            begin, words = token.end, False
        else:
            words = True
        before = token.word
    return [*found, text[begin:].strip()] if words else found
