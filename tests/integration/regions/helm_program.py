# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks as helm does and rolls the Deployments of a namespace to the tag that it is given; HELM_BROKEN names a
namespace where it fails."""

import json
import os
import sys
import urllib.request

import yaml

words = sys.argv[1:]


def option(name: str) -> str:
    at = words.index(name) if name in words else -1
    given = words[at + 1] if at >= 0 else next((w.partition("=")[2] for w in words if w.startswith(f"{name}=")), "")
    return given


def call(method: str, path: str, body: object = None) -> dict:
    config = option("--kubeconfig") or os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ["KUBECONFIG"]
    with open(config, encoding="utf-8") as file:
        server = yaml.safe_load(file)["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(server + path, json.dumps(body).encode() if body else None, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


namespace = option("--namespace") or option("-n") or os.environ.get("HELM_NAMESPACE", "")
release = {"name": "tars", "namespace": namespace, "revision": 3, "status": "deployed", "chart": "tars-1.0.0"}
verb = words[0]
if verb == "version":
    print('version.BuildInfo{Version:"v3.16.1", GitCommit:"x", GitTreeState:"clean", GoVersion:"go1.22"}')
elif verb == "plugin":
    print("NAME\tVERSION\tDESCRIPTION")
elif verb == "history":
    print(json.dumps([{**release, "updated": "2026-01-31T12:00:00Z"}]))
elif verb == "list":
    print(yaml.safe_dump([release]))
elif verb == "get":
    print("null")
elif verb == "show":
    print("{name: tars, version: 1.0.0}")
elif verb == "upgrade":
    if namespace == os.environ.get("HELM_BROKEN"):
        sys.exit("Error: UPGRADE FAILED: timed out waiting for the condition")
    with open(option("--values") or option("-f"), encoding="utf-8") as file:
        tag = yaml.safe_load(file)["image"]["tag"]
    apps = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    for kind, path in (("pod", f"/api/v1/namespaces/{namespace}/pods"), ("deployment", apps)):
        for item in call("GET", path)["items"]:
            pointer = "/spec/containers/0/image" if kind == "pod" else "/spec/template/spec/containers/0/image"
            patch = [{"op": "replace", "path": pointer, "value": f"lab/app:{tag}"}]
            call("PATCH", f"{path}/{item['metadata']['name']}", patch)
