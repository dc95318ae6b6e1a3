# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import base64
import html
import json
import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"

# Known secrets of fewer characters are not looked for. Something like "1" or "eu" stands in every other text by chance:
# to mask it there makes the text useless, and where the asterisks stand tells what it was. From four on it is the
# user's password that is odd, not our output. Places that hold secrets are masked whatever the length.
MIN_LENGTH = 4

# A field of that name holds a secret whatever its value is, unless its name ends in a word that says it is about one.
_SECRET_KEY = re.compile(
    r"(?i)(authorization|passw(or)?d|passphrase|secret|token|api[-_]?key|routing[-_]?key|private[-_]?key|cookie)"
)
_ABOUT_A_SECRET = re.compile(r"(?i)(name|names|namespace|ref|refs|count|length|type|kind|path|file|ttl)$")
_SECRET_TEXT = (
    # What is said of a database may be wrong in any way: a password there can hold a slash, spaces and an "@".
    (re.compile(r"(?i)\b((?:postgres(?:ql)?|rediss?)(?:\+\w+)?://)[^\s]*@"), rf"\g<1>{MASK}@"),
    (re.compile(r"(?i)\b(password\s*=\s*)(?:'(?:[^'\\]|\\.)*(?:'|\Z)|[^\s&;\"'#]+)"), rf"\g<1>{MASK}"),
    # user:password@ in any URL; "@" ends it, so a path that holds an "@" stays readable.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@?#]+@"), rf"\g<1>{MASK}@"),
    # Header lines, also inside a dict's or a JSON text's quotes.
    (re.compile(r"""(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^"'\r\n,}]+"""), rf"\g<1>{MASK}"),
    # Scheme words also begin sentences ("OAuth authentication failed"): a token has a digit or a sign, or is long.
    (
        re.compile(r"(?i)\b(bearer|oauth|genie\w+)\s+(?=[\w.~+/=-]*(?:[0-9]|[.~+/=][\w-])|[\w-]{20})[\w.~+/=-]{6,}"),
        rf"\g<1> {MASK}",
    ),
    # Values in a query string or a form body, by the name of the parameter.
    (
        re.compile(r"(?i)([?&;]|\b)([\w.-]*(?:token|api_?key|password|passwd|secret|signature)=)[^&;\s\"'#]+"),
        rf"\g<1>\g<2>{MASK}",
    ),
)


class RolloutError(Exception):
    """A fault that was expected as possible; the user gets sentences, never a traceback.

    ``msg`` says what was tried, on what and what was seen; ``hint`` what to do about it. Together they are the first
    line that a user reads. ``reason`` is a stable code in snake_case that playbooks and tests may compare with.
    ``details`` are plain data for a person who digs deeper; they are scrubbed of secrets before they leave.
    """

    def __init__(self, msg: str, *, reason: str, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.reason = reason
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        """Both sentences on one line, each ended by a full stop."""
        return " ".join(_sentence(part) for part in (self.msg, self.hint) if part.strip())

    def payload(self, scrubber: Scrubber) -> dict[str, Any]:
        """What ``fail_json`` gets: ``msg``, ``reason``, ``hint``, ``details``, without a secret in any of them."""
        return {
            "msg": scrubber.text(str(self)),
            "reason": self.reason,
            "hint": scrubber.text(self.hint),
            "details": scrubber.data(self.details),
        }


class MissingLibrary(RolloutError):
    """A Python library that only one port needs is not installed where the module runs."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"The Python library {library} is needed and could not be imported",
            reason="missing_library",
            hint=f"Install it for the interpreter that runs the module: pip install {library}",
            details={"library": library},
        )
        self.library = library


class Interrupted(RolloutError):
    """The module was told to stop (a signal, or its controller is gone) and did so at a safe point."""

    def __init__(self, doing: str, why: str) -> None:
        super().__init__(
            f"Stopped while {doing}: {why}",
            reason="interrupted",
            hint="Run the same command again: it reads what is true and goes on from there",
        )


class Bug(RolloutError):
    """An exception that nobody foresaw. The traceback becomes its type and its place; the text is scrubbed later."""

    def __init__(self, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        # From "plugins/" on: the part before is a temporary folder of Ansible's that is gone by now.
        places = [f"{_short_path(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames[-3:]]
        super().__init__(
            f"A fault inside the collection tars.rollout itself: {type(error).__name__}",
            reason="bug",
            hint="Please report it with the details; nothing is known to be wrong with your input",
            details={"type": type(error).__name__, "text": str(error), "at": places},
        )


class Scrubber:
    """Takes secrets out of texts and data before they are shown or written.

    Two nets: values that are known to be secret, in every form in which they travel (URL-quoted, base64, inside JSON
    or HTML), and shapes that always hold one (userinfo of URLs, authorization headers, token parameters).
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Also take these values out from now on. Those shorter than MIN_LENGTH are ignored."""
        for secret in secrets:
            self._forms |= _forms(secret)
        # The longest first, so that a secret which begins with another one goes as a whole.
        ordered = sorted(self._forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, value: str) -> str:
        """The text with every secret replaced by a mask."""
        value = self._without_known(value)
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value

    def data(self, value: Any) -> Any:
        """The same structure made of plain JSON types, every text in it (keys as well) scrubbed."""
        if value is None or isinstance(value, bool | int | float):
            # A secret that is all digits comes back from YAML as a number.
            return MASK if self._known is not None and self._known.fullmatch(str(value)) else value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.data(item) for item in value]
        return self.text(value.decode(errors="replace") if isinstance(value, bytes) else str(value))

    def result(self, value: Any) -> Any:
        """The same structure and types with the known secrets masked in texts.

        The result of a success is data to work with, so shapes are not looked for and numbers stay numbers.
        """
        if isinstance(value, str):
            return self._without_known(value)
        if isinstance(value, bytes):
            return self._without_known(value.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        if isinstance(value, Mapping):
            return {self.result(key): self.result(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.result(item) for item in value]
        if isinstance(value, tuple | set | frozenset):
            plain = tuple if isinstance(value, tuple) else type(value)
            return plain(self.result(item) for item in value)
        return value

    def _without_known(self, text: str) -> str:
        return text if self._known is None else self._known.sub(MASK, text)

    def _field(self, key: str, item: Any) -> Any:
        return _masked(self.data(item)) if is_secret_name(key) else self.data(item)


def is_secret_name(name: str) -> bool:
    """Whether a field or header of that name holds a secret: ``X-Api-Key`` does, ``secretName`` does not."""
    return bool(_SECRET_KEY.search(name)) and not _ABOUT_A_SECRET.search(name)


def _masked(data: Any) -> Any:
    """Plain JSON data with every text masked, at any depth; numbers under such a name are counts and times."""
    if isinstance(data, dict):
        return {key: _masked(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_masked(item) for item in data]
    return MASK if data and isinstance(data, str) else data


def _forms(secret: str) -> set[str]:
    """The secret as it may appear in URLs, JSON, HTML, Python's repr and basic authentication."""
    if len(secret.strip()) < MIN_LENGTH:
        return set()
    raw = secret.encode(errors="surrogatepass")
    forms = {
        secret,
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    return {form for form in forms if form.strip(" *")}


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _short_path(filename: str) -> str:
    folder = "/plugins/"
    return f"plugins/{filename.rpartition(folder)[2]}" if folder in filename else filename.rpartition("/")[2]
