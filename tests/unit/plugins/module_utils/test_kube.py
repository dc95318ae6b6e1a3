# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Client, Kind, Timeouts

TOKEN = "planted-token-4711"
MAPS = Kind("v1", "configmaps")
ROUTES = Kind("networking.istio.io/v1", "virtualservices")
NODES = Kind("v1", "nodes", namespaced=False)


def client(url: str, **options: Any) -> Client:
    return _kube.from_token(url, TOKEN, Scrubber(), **options)


def failing(call: Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        call()
    assert TOKEN not in json.dumps(caught.value.payload(Scrubber()))
    return caught.value


def says(status: int, **answer: Any) -> Any:
    return lambda handler, server: server.reply(handler, status, json.dumps(answer).encode())


def test_addresses_of_kinds() -> None:
    assert MAPS.path("ns", "a") == "/api/v1/namespaces/ns/configmaps/a"
    assert ROUTES.path("") == "/apis/networking.istio.io/v1/virtualservices"
    assert NODES.path("ignored", "n/1") == "/api/v1/nodes/n%2F1"


def test_a_list_is_read_in_pages(serve: Any) -> None:
    def pages(handler: BaseHTTPRequestHandler, server: Any) -> None:
        last = "continue=more" in handler.path
        page = {"items": [{"n": len(server.seen)}], "metadata": {} if last else {"continue": "more"}}
        server.reply(handler, 200, json.dumps(page).encode())

    server = serve(pages)
    assert client(server.url).list(MAPS, "ns", labels="a=b") == [{"n": 1}, {"n": 2}]
    assert server.seen[0][1] == "/api/v1/namespaces/ns/configmaps?limit=500&labelSelector=a%3Db"
    assert server.seen[0][2]["authorization"] == f"Bearer {TOKEN}"


def test_writes_carry_what_the_api_server_wants(serve: Any) -> None:
    server = serve(says(200))
    kube = client(server.url)
    kube.create(MAPS, "ns", {"metadata": {"name": "a"}}, dry_run=True)
    kube.json_patch(ROUTES, "ns", "r", [{"op": "test", "path": "/a", "value": 1}])
    kube.delete(MAPS, "ns", "a", uid="u-1")
    kube.delete(MAPS, "ns", "a", dry_run=True)
    create, patch, delete, dry_delete = server.seen
    assert create[:2] == ("POST", "/api/v1/namespaces/ns/configmaps?dryRun=All")
    assert patch[0] == "PATCH" and patch[2]["content-type"] == "application/json-patch+json"
    assert json.loads(patch[3]) == [{"op": "test", "path": "/a", "value": 1}]
    assert delete[0] == "DELETE" and json.loads(delete[3])["preconditions"] == {"uid": "u-1"}
    assert json.loads(dry_delete[3])["dryRun"] == ["All"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "kube_unauthorized"),
        (404, "kube_not_found"),
        (409, "kube_conflict"),
        (429, "kube_busy"),
        (500, "kube_status"),
    ],
)
def test_refusals_have_codes_and_are_not_repeated(serve: Any, status: int, reason: str) -> None:
    server = serve(says(status, message="because", details=None))
    fault = failing(lambda: client(server.url).get(MAPS, "ns", "a"))
    assert (fault.reason, fault.details["status"], len(server.seen)) == (reason, status, 1)
    assert f"get configmaps/a in namespace ns was refused by {server.url} with {status}: because" in str(fault)


def test_a_missing_right_is_named_in_full(serve: Any) -> None:
    server = serve(says(403, message="forbidden"))
    fault = failing(lambda: client(server.url).json_patch(ROUTES, "ns", "r", []))
    assert fault.reason == "kube_forbidden"
    right = 'verb "patch" on resource "virtualservices" of API group "networking.istio.io" in namespace ns'
    assert right in str(fault)
    fault = failing(lambda: client(server.url).list(NODES))
    assert 'verb "list" on resource "nodes" of API group "" in the whole cluster' in str(fault)


def test_a_refused_test_is_told_from_a_refused_value(serve: Any) -> None:
    test = [{"op": "test", "path": "/a", "value": 1}]
    plain = client(serve(says(422, reason="Invalid", message="the server rejected our request")).url)
    assert failing(lambda: plain.json_patch(MAPS, "ns", "a", test)).reason == "kube_patch_test_failed"
    assert failing(lambda: plain.json_patch(MAPS, "ns", "a", [{"op": "remove", "path": "/b"}])).reason == "kube_invalid"
    causes = [{"field": "spec.x", "message": "must be a number"}] * 2
    schema = client(serve(says(422, message="invalid", details={"causes": causes})).url)
    fault = failing(lambda: schema.json_patch(MAPS, "ns", "a", test))
    assert (fault.reason, fault.details["causes"]) == ("kube_invalid", ["spec.x: must be a number"])


def test_a_refused_secret_is_not_quoted(serve: Any) -> None:
    causes = [{"field": "data", "message": 'Invalid value: "aGVsbG8="'}]
    server = serve(says(422, reason="Invalid", message='value "aGVsbG8="', details={"causes": causes}))
    fault = failing(lambda: client(server.url).create(Kind("v1", "secrets"), "ns", {}))
    assert "aGVsbG8" not in json.dumps(fault.payload(Scrubber())) and fault.details["causes"] == ["data"]


def test_html_in_place_of_the_api_server(serve: Any) -> None:
    page = b"<html><title>502</title></html>"
    bad = client(serve(lambda handler, server: server.reply(handler, 502, page)).url)
    assert failing(lambda: bad.get(MAPS, "ns", "a")).reason == "kube_status"
    odd = client(serve(lambda handler, server: server.reply(handler, 200, page)).url)
    assert failing(lambda: odd.get(MAPS, "ns", "a")).reason == "kube_not_json"


def test_silence_refusal_and_an_unknown_host(serve: Any) -> None:
    server = serve(lambda handler, server: time.sleep(30))
    began = time.monotonic()
    slow = client(server.url, timeouts=Timeouts(connect=1, read=0.2))
    assert failing(lambda: slow.get(MAPS, "ns", "a")).reason == "kube_timeout"
    assert time.monotonic() - began < 10 and len(server.seen) == 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    fault = failing(lambda: client(url).get(MAPS, "ns", "a"))
    assert fault.reason == "kube_unreachable" and "Connection refused" in str(fault)
    assert failing(lambda: client("http://nowhere.invalid").list(MAPS)).reason == "kube_unreachable"


def test_a_dripping_server_does_not_hold_a_call(dripping: Any, authority: Any) -> None:
    body = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"
    for url in (dripping(), dripping(start=body), dripping(authority.context())):
        kube = client(url, ca=authority.ca, timeouts=Timeouts(connect=1, read=2, total=0.5))
        for call in (lambda kube=kube: kube.get(MAPS, "ns", "a"), lambda kube=kube: kube.pod_get("ns", "p", 80, "/x")):
            began = time.monotonic()
            fault = failing(call)
            assert fault.reason == "kube_timeout" and "no whole answer came within 0.5 s" in str(fault)
            assert time.monotonic() - began < 10


def test_threads_share_connections_and_keep_their_own_time(serve: Any) -> None:
    def behave(handler: BaseHTTPRequestHandler, server: Any) -> None:
        time.sleep(30 if "slow" in handler.path else 0.01)
        says(200)(handler, server)

    # Long enough for the quick ones where the processors are busy with other tests.
    kube = client(serve(behave).url, timeouts=Timeouts(total=4))

    def look(number: int) -> str:
        try:
            kube.get(MAPS, "ns", "slow" if number % 10 == 0 else "a")
        except RolloutError as error:
            return error.reason
        return "read"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(look, range(40)))
    assert found == ["kube_timeout" if number % 10 == 0 else "read" for number in range(40)]


@pytest.mark.parametrize(("gone", "reason"), [(1, ""), (2, "kube_gone")])
def test_a_list_whose_place_is_lost_begins_again_once(serve: Any, gone: int, reason: str) -> None:
    def pages(handler: BaseHTTPRequestHandler, server: Any) -> None:
        later = "continue=more" in handler.path
        if later and sum("continue=more" in path for _method, path, _headers, _body in server.seen) <= gone:
            says(410, reason="Expired", message="The provided continue parameter is too old")(handler, server)
        else:
            says(200, items=[{"n": 2 if later else 1}], metadata={} if later else {"continue": "more"})(handler, server)

    server = serve(pages)
    kube = client(server.url)
    if reason:
        fault = failing(lambda: kube.list(MAPS, "ns"))
        assert fault.reason == reason and "read it again from the start" in str(fault)
    else:
        assert kube.list(MAPS, "ns") == [{"n": 1}, {"n": 2}]
    assert len(server.seen) == 4


def test_tls_is_checked(serve: Any, authority: Any) -> None:
    server = serve(says(200, items=[]), authority.context())
    assert client(server.url, ca=authority.ca).list(MAPS) == []
    fault = failing(lambda: client(server.url).list(MAPS))
    assert fault.reason == "kube_tls" and "CERTIFICATE_VERIFY_FAILED" in str(fault)


def kubeconfig(folder: Path, url: str, authority: Any, **user: str) -> str:
    cluster = {"server": url, "certificate-authority": authority.ca}
    path = folder / "kubeconfig"
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    return str(path)


def test_connections_share_what_was_read_once(serve: Any, authority: Any, tmp_path: Path) -> None:
    server = serve(says(200, items=[]), authority.context(demand_client=True))
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_bytes((Path(authority.ca).parent / name).read_bytes())
    here = type(authority)(str(tmp_path / "ca.pem"), "", str(tmp_path / "client.pem"), str(tmp_path / "client.key"))
    keys = {"client-certificate": here.client_cert, "client-key": here.client_key}
    kube = _kube.from_kubeconfig(kubeconfig(tmp_path, server.url, here, **keys), "", Scrubber())
    for path in tmp_path.iterdir():
        path.unlink()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _n: kube.list(MAPS), range(8))) == [[]] * 8


def test_a_server_that_wants_a_certificate_refuses_without(serve: Any, authority: Any, tmp_path: Path) -> None:
    server = serve(says(200, items=[]), authority.context(demand_client=True))
    kube = _kube.from_kubeconfig(kubeconfig(tmp_path, server.url, authority, token=TOKEN), "", Scrubber())
    assert failing(lambda: kube.list(MAPS)).reason.startswith("kube_")
    assert server.seen == []


def test_an_encrypted_key_is_said_and_never_asked_for(serve: Any, authority: Any, tmp_path: Path) -> None:
    server = serve(says(200, items=[]), authority.context(demand_client=True))
    key = tmp_path / "locked.key"
    words = ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", authority.client_key, "-out", str(key)]
    subprocess.run(words, check=True, capture_output=True)
    keys = {"client-certificate": authority.client_cert, "client-key": str(key)}
    kube = _kube.from_kubeconfig(kubeconfig(tmp_path, server.url, authority, **keys), "", Scrubber())
    fault = failing(lambda: kube.list(MAPS))
    assert fault.reason == "kube_tls" and "encrypted" in str(fault)
    assert server.seen == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "apiVersion: v1\nkind: Config\n", f"users: [{{token: {TOKEN}}}]", "\x00"]
)
def test_an_odd_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    fault = failing(lambda: _kube.from_kubeconfig(str(path), "", Scrubber()))
    assert fault.reason == "kube_config" and str(path) in str(fault)


def test_a_kubeconfig_that_is_not_there_and_no_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = failing(lambda: _kube.from_kubeconfig(str(tmp_path / "absent"), "ctx", Scrubber()))
    assert fault.reason == "kube_config" and "context ctx" in str(fault)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert failing(lambda: _kube.in_cluster(Scrubber())).reason == "kube_config"


def test_a_missing_library_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "HAS_KUBERNETES", False)
    with pytest.raises(MissingLibrary):
        client("http://127.0.0.1")
