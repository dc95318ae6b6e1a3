# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import (
    MASK,
    MIN_LENGTH,
    Bug,
    Interrupted,
    MissingLibrary,
    RolloutError,
    Scrubber,
)
from hypothesis import given
from hypothesis import strategies as st

# Not of the mask's own characters: those are everywhere.
SECRETS = st.lists(
    st.text(min_size=MIN_LENGTH, max_size=20).filter(lambda s: "*" not in s and len(s.strip()) >= MIN_LENGTH),
    min_size=1,
    max_size=4,
)
DISGUISES = (
    str,
    lambda s: quote(s.encode(errors="surrogatepass"), safe=""),
    lambda s: quote_plus(s.encode(errors="surrogatepass")),
    lambda s: base64.b64encode(s.encode(errors="surrogatepass")).decode(),
    json.dumps,
    html.escape,
    repr,
)


@given(SECRETS, st.lists(st.text(max_size=10), min_size=5, max_size=5), st.sampled_from(DISGUISES))
def test_a_known_secret_never_comes_through(secrets: list[str], between: list[str], disguise: Any) -> None:
    hidden = [disguise(secret) for secret in secrets]
    text = "".join(part for pair in zip(between, hidden, strict=False) for part in pair)
    shown = Scrubber(secrets).text(text)
    assert not [secret for secret in secrets if secret in shown]
    inner = [form.strip("\"'") for form in hidden]
    assert not [form for form in inner if form.strip(" *") and form in shown]


@given(
    SECRETS, st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_no_depth_of_data_hides_a_secret(secrets: list[str], around: Any) -> None:
    data = {"a": [around, {"k" + secret: (secret, {"b": secret}) for secret in secrets}], "n": 1.5, "t": True}
    shown = Scrubber(secrets).data(data)

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for pair in value.items() for part in pair for text in texts(part)]
        if isinstance(value, list):
            return [text for item in value for text in texts(item)]
        return [value] if isinstance(value, str) else []

    json.dumps(shown)
    # The keys written here are names of ours, not places where a secret stood.
    found = [t for t in texts(shown) if t not in ("a", "b", "n", "t")]
    assert not [secret for secret in secrets for text in found if secret in text.replace(MASK, "*")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://me:pa%20ss@host/x?y=1", f"see https://{MASK}@host/x?y=1"),
        ("postgresql://u:p@db:5432/tars", f"postgresql://{MASK}@db:5432/tars"),
        ("postgresql://u:s/ec@ret@db/tars is no name", f"postgresql://{MASK}@db/tars is no name"),
        ("redis://:s/ecret@cache:6379/0", f"redis://{MASK}@cache:6379/0"),
        (r"host=db password='se c\'ret1' user=u", f"host=db password={MASK} user=u"),
        ("host=db password = secret user=u", f"host=db password = {MASK} user=u"),
        ("https://host/users/me@example.net", "https://host/users/me@example.net"),
        ("Authorization: OAuth abc def", f"Authorization: {MASK}"),
        ('{"Authorization": "Bearer abcdef"}', f'{{"Authorization": "{MASK}"}}'),
        ("sent Bearer abcdefgh.ijk to it", f"sent Bearer {MASK} to it"),
        ("/v1/x?api_key=abc&page=2", f"/v1/x?api_key={MASK}&page=2"),
        ("access_token=abc;b=1", f"access_token={MASK};b=1"),
        ("sent Bearer abcdefghijklmnopqrstuvwxyz to it", f"sent Bearer {MASK} to it"),
        ("the bearer of news", "the bearer of news"),
        ("OAuth authentication failed", "OAuth authentication failed"),
        ("Bearer authentication. OAuth re-authentication", "Bearer authentication. OAuth re-authentication"),
        ("error_rate 23/378 (6.1 %)", "error_rate 23/378 (6.1 %)"),
    ],
)
def test_places_that_hold_secrets_are_masked_unknown(text: str, shown: str) -> None:
    assert Scrubber().text(text) == shown


def test_fields_that_hold_secrets_are_masked_by_name() -> None:
    data = {"password": "x", "nested": [{"X-Api-Key": "y", "weight": 10}], "token_count": 3, "cookie": ""}
    expected = {"password": MASK, "nested": [{"X-Api-Key": MASK, "weight": 10}], "token_count": 3, "cookie": ""}
    assert Scrubber().data(data) == expected


def test_fields_that_hold_secrets_are_masked_at_any_depth() -> None:
    data = {"tokens": ["abc", {"a": ("b",), "n": 3}], "Secret": {"data": {"x": b"y"}, "empty": []}}
    expected = {"tokens": [MASK, {"a": [MASK], "n": 3}], "Secret": {"data": {"x": MASK}, "empty": []}}
    assert Scrubber().data(data) == expected


@pytest.mark.parametrize("key", ["secretName", "secret_name", "secretRef", "passwordFile", "token_type", "tokenPath"])
def test_a_field_about_a_secret_is_no_secret(key: str) -> None:
    assert Scrubber().data({key: "db-login"}) == {key: "db-login"}


def test_very_short_secrets_are_masked_by_place_only() -> None:
    scrubber = Scrubber(["1", "eu", "abc", "four"])
    assert scrubber.text("11 of 100 abc in eu-west-1, four") == f"11 of 100 abc in eu-west-1, {MASK}"
    assert scrubber.text("password=eu") == f"password={MASK}"
    assert scrubber.data({"password": "eu", "n": 1}) == {"password": MASK, "n": 1}


def test_a_result_loses_known_secrets_and_keeps_its_types() -> None:
    result = {"changed": True, "n": 4711, "x": None, "at": ("a", "s3cret"), "k-s3cret": [1.5, b"-s3cret"], "token": "t"}
    expected = {
        "changed": True,
        "n": 4711,
        "x": None,
        "at": ("a", MASK),
        f"k-{MASK}": [1.5, b"-********"],
        "token": "t",
    }
    assert Scrubber(["s3cret", "4711"]).result(result) == expected
    assert Scrubber(["s3cret"]).result({"s": {"s3cret", 1}, "f": frozenset(["s3cret"])}) == {
        "s": {MASK, 1},
        "f": {MASK},
    }


def test_a_secret_of_digits_is_masked_as_a_number_too() -> None:
    assert Scrubber(["4711"]).data({"n": 4711, "m": 47110}) == {"n": MASK, "m": 47110}


def test_nothing_is_masked_without_a_secret() -> None:
    assert Scrubber(["", " "]).text("a b") == "a b"


def test_the_first_line_says_what_was_seen_and_what_to_do() -> None:
    error = RolloutError("GET x was\nanswered 500", reason="http_status", hint="Look at its log", details={"n": 1})
    assert error.payload(Scrubber()) == {
        "msg": "GET x was answered 500. Look at its log.",
        "reason": "http_status",
        "hint": "Look at its log",
        "details": {"n": 1},
    }
    assert str(RolloutError("Done?", reason="x")) == "Done?"


def test_a_payload_is_scrubbed() -> None:
    error = RolloutError("with s3cret", reason="x", hint="drop s3cret", details={"at": ["s3cret"]})
    assert "s3cret" not in json.dumps(error.payload(Scrubber(["s3cret"])))


def test_an_unforeseen_exception_becomes_type_and_place() -> None:
    with pytest.raises(KeyError) as caught:
        dict[str, int]()["s3cret"]
    payload = Bug(caught.value).payload(Scrubber(["s3cret"]))
    assert payload["reason"] == "bug" and "KeyError" in payload["msg"] and "Traceback" not in str(payload)
    assert payload["details"]["at"][-1].startswith("plugins/") or "test_errors.py:" in payload["details"]["at"][-1]
    assert "s3cret" not in json.dumps(payload)


def test_codes_of_the_family() -> None:
    assert MissingLibrary("requests").reason == "missing_library"
    assert str(Interrupted("waiting", "got SIGTERM")).startswith("Stopped while waiting: got SIGTERM. Run the same")
