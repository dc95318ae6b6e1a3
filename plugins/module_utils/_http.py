# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import json as json_module
import os
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import __version__ as urllib3_version  # type: ignore[attr-defined]
    from urllib3.exceptions import HTTPError as TransportError
except ImportError:
    MISSING = "requests"
    HTTPAdapter = object  # type: ignore[assignment,misc]
else:
    # Version 1 takes a body that ends too early for a whole one.
    MISSING = "urllib3>=2.0" if urllib3_version.startswith("1.") else ""

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer, explain, retry_after
from ansible_collections.tars.rollout.plugins.module_utils._errors import (
    MissingLibrary,
    RolloutError,
    Scrubber,
    is_secret_name,
)
from ansible_collections.tars.rollout.plugins.module_utils._exchange import bound, within
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError, Silent, redirected, refused
from ansible_collections.tars.rollout.plugins.module_utils._http_options import Options, basic, bearer, secrets_of
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

__all__ = ["Client", "HttpError", "Options", "basic", "bearer"]

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# The request was turned away before anything happened, so repeating is safe for every method. 420 is Statuspage's.
LIMITED = frozenset({420, 429})
PASSING = frozenset({500, 502, 503, 504})
MAX_TRIES = 5
MAX_REDIRECTS = 5


class Client:
    """Calls to one server over kept-alive connections. One client per thread; close it, or use it in a ``with``."""

    def __init__(
        self, options: Options, clock: Clock, scrubber: Scrubber, jitter: Callable[[], float] = random.random
    ) -> None:
        if MISSING:
            raise MissingLibrary(MISSING)
        self._options = options
        self._clock = clock
        self._scrub = scrubber
        self._jitter = jitter
        url = urlsplit(options.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise RolloutError(
                f"The address {options.base_url!r} is no URL of a server",
                reason="bad_url",
                hint="Give one such as https://prometheus.example.net:9090",
            )
        named = [value for name, value in options.headers.items() if is_secret_name(name)]
        for value in (*options.secret_headers.values(), *named):
            scrubber.add(*secrets_of(value))
        scrubber.add(url.password or "")
        self._session = requests.Session()
        # No netrc: it would send passwords nobody asked for, or replace the token that was given.
        self._session.trust_env = False
        for prefix in ("http://", "https://"):
            self._session.mount(prefix, _Adapter(pool_connections=4, pool_maxsize=4, max_retries=0))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def json(self, method: str, path: str, **request: Any) -> Any:
        """Like ``call``; gives the decoded JSON of the body, None for 204."""
        answer = self.call(method, path, **request)
        if answer.status == 204:
            return None
        what = f"{method} {answer.url}"
        if answer.kind == "json":
            try:
                return json_module.loads(answer.text.lstrip("\ufeff"))
            except (ValueError, RecursionError) as error:
                seen = f"which is no valid JSON ({error})"
        else:
            seen = "an empty body" if answer.kind == "empty" else explain(answer)
        raise HttpError(
            self._scrub.text(f"{what} was answered HTTP {answer.status} with {seen} where JSON was expected"),
            reason="http_not_json",
            hint="Check the address: a login page or a proxy may stand before the server",
            url=answer.url,
            answer=answer,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """One call with its retries, within the budget. Any 2xx or a status in ``accept`` is an answer, else HttpError.

        ``idempotent`` overrides what the method says: a POST that only queries may be repeated. Whatever the method,
        a call is repeated when it surely did nothing: it was rate limited, or there was no connection.
        """
        deadline = Deadline(self._clock, self._options.budget)
        repeatable = method in IDEMPOTENT if idempotent is None else idempotent
        url = self._url(path)
        for attempt in range(1, MAX_TRIES + 1):
            fault: HttpError
            try:
                answer = self._follow(method, url, deadline, params=params, data=form, json=json)
            except Silent as silent:
                fault = silent.error(self._scrub, f"{method} {url}")
                again, asked = silent.passing and (repeatable or not silent.sent), None
            else:
                if 200 <= answer.status < 300 or answer.status in accept:
                    return answer
                fault = refused(self._scrub, method, answer)
                again = answer.status in LIMITED or (repeatable and answer.status in PASSING)
                asked = retry_after(answer.headers.get("retry-after"), self._clock.now())
            # Doubling from half a second; spread, so that regions do not come back all at once.
            pause = asked if asked is not None else min(8.0, 0.5 * 2 ** (attempt - 1)) * (0.5 + self._jitter() / 2)
            if not again or attempt == MAX_TRIES or pause >= deadline.remaining:
                fault.details |= {"tries": attempt, "elapsed": round(deadline.elapsed, 3), "retry_after": asked}
                raise fault
            self._clock.sleep(pause, f"waiting to repeat {method} {self._scrub.text(url)}")
        raise AssertionError("the last try returns or raises")

    def _url(self, path: str) -> str:
        return self._options.base_url.rstrip("/") + "/" + path.lstrip("/")

    def _follow(self, method: str, url: str, deadline: Deadline, **body: Any) -> Answer:
        """One try, redirects of reads followed. Secrets never leave the origin that they were given for."""
        for _hop in range(MAX_REDIRECTS):
            answer = self._once(method, url, deadline, **body)
            target = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or not target:
                return answer
            target = urljoin(url, target)
            if method not in ("GET", "HEAD") or (url.startswith("https:") and not target.startswith("https:")):
                raise redirected(self._scrub.text(f"{method} {url}"), self._scrub.text(target), answer)
            url, body = target, {}
        raise redirected(self._scrub.text(f"{method} {url}"), "ever new addresses", answer)

    def _once(self, method: str, url: str, deadline: Deadline, **body: Any) -> Answer:
        options = self._options
        home = _origin(url) == _origin(options.base_url)
        own = {**options.headers, **options.secret_headers}
        cert = (
            (options.client_cert, options.client_key)
            if options.client_cert and options.client_key
            else options.client_cert
        )
        bundle = options.ca or os.environ.get("REQUESTS_CA_BUNDLE") or True
        proxies = (
            {"http": options.proxy, "https": options.proxy}
            if options.proxy
            else requests.utils.get_environ_proxies(url, no_proxy=None)
        )
        left = max(0.05, deadline.remaining)
        with within(left) as exchange:
            try:
                response = self._session.request(
                    method,
                    url,
                    headers={"Accept": "application/json", **(own if home else {})},
                    cert=cert if home else None,
                    verify=bundle if options.validate_certs else False,
                    proxies=proxies,
                    timeout=(min(options.connect, left), min(options.read, left)),
                    allow_redirects=False,
                    stream=True,
                    **body,
                )
                with response:
                    content = self._read(response, url)
            except (requests.RequestException, TransportError, OSError, UnicodeError) as error:
                if not exchange.over:
                    raise Silent(error) from None
        # Also when nothing was raised: a socket that was shut down looks like the end of a body without a length.
        if exchange.over:
            raise Silent(TimeoutError(f"no whole answer came within {deadline.budget:g} s"))
        headers = {key.lower(): value for key, value in response.headers.items()}
        return Answer(response.status_code, headers, content, self._scrub.text(url), deadline.elapsed)

    def _read(self, response: requests.Response, url: str) -> bytes:
        """The decoded body, given up as soon as it is too large."""
        content = bytearray()
        while chunk := response.raw.read(65536, decode_content=True):
            content += chunk
            if len(content) > self._options.max_body:
                raise HttpError(
                    self._scrub.text(f"The answer of {url} is larger than {self._options.max_body} bytes"),
                    reason="http_too_big",
                    hint="Ask for less, for instance with a narrower selector or a page size",
                    url=self._scrub.text(url),
                )
        return bytes(content)


class _Adapter(HTTPAdapter):
    """Connections, direct or through a proxy, that heed the budget of the exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        bound(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return bound(super().proxy_manager_for(*args, **kwargs))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
