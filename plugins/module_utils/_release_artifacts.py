# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of release_artifacts: hash the files, ask the registry, look at the pods; the first odd byte is a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import files, images, manifest, sbom
from ansible_collections.tars.rollout.plugins.module_utils._govern.images import Image
from ansible_collections.tars.rollout.plugins.module_utils._govern.manifest import ArtifactError, Chart
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line

AT_ONCE = 8
_KEYS = {
    "chart": ("file", "name", "version", "app_version", "used"),
    "signatures": ("file", "signature", "key"),
    "sboms": ("file", "version"),
}


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client of the cluster is made from the options when none is given."""
    params = call.params
    _known_keys(params)
    wanted, named = _files(params), _images(params)
    if not wanted and not named:
        raise RolloutError(
            "The release has neither files nor images to look at", reason="artifacts_empty",
            hint="Give folder with sums or files, or images, or leave the check of artifacts out",
        )  # fmt: skip
    if (params["need_images"] or params["pods"]) and not named:
        raise RolloutError(
            "The digests of pods are to be compared, and the release names no image", reason="images_missing",
            hint="Give images, each with the name of its service, or do not ask for the comparison",
        )  # fmt: skip
    seen = files.hashes(params["folder"], wanted) if wanted else {}
    manifest.compare(wanted, seen, params["folder"] or "")
    if wanted:
        _say(call, "files", f"{len(wanted)} as their SHA-256 says")
    for part in params["whole"]:
        manifest.whole(part, files.unnamed(params["folder"], part, wanted) if wanted else [])
    chart = _chart(call, wanted)
    signed = [_signature(params, item) for item in params["signatures"]]
    told = [_sbom(call, item, wanted) for item in params["sboms"]]
    if params["pull"]:
        named = _registry(call, named)
    pods = _pods(call, named, client) if params["pods"] else []
    return {
        "changed": False,
        "digest": manifest.digest(wanted, named),
        "files": sorted(wanted),
        "chart": chart,
        "signed": signed,
        "sboms": told,
        "images": [
            {"name": image.name, "image": image.reference, "digest": image.digest, "digests": list(image.also)}
            for image in named
        ],
        "pods": [asdict(item) for item in pods],
    }


def _files(params: Mapping[str, Any]) -> dict[str, str]:
    if not params["folder"]:
        return {}
    found = manifest.given(params["files"])
    if name := params["sums"]:
        text = files.read(params["folder"], name, name).decode(errors="replace")
        for path, value in manifest.sums(text, name).items():
            if found.setdefault(path, value) != value:
                raise ArtifactError(
                    f"The release names two sums for {path}: {value} in {name}, and {found[path]} in files",
                    reason="manifest_invalid", hint="One of the two is not of this release",
                )  # fmt: skip
    return found


def _known_keys(params: Mapping[str, Any]) -> None:
    """A key that nobody reads would check less than somebody meant."""
    for option, keys in _KEYS.items():
        items = params[option] if isinstance(params[option], list) else [params[option] or {}]
        if odd := sorted({str(key) for item in items for key in item} - set(keys)):
            raise RolloutError(
                f"The {option} of the release cannot be used: the key {odd[0]!r} is not known",
                reason=f"{option.removesuffix('s')}_invalid", hint=f"Known: {', '.join(keys)}",
            )  # fmt: skip
    if odd := sorted({str(item).lower() for item in params["forbid_severities"]} - set(sbom.SEVERITIES)):
        raise RolloutError(
            f"The severity {odd[0]!r} is not known, so nothing would be forbidden by it", reason="sbom_severity",
            hint=f"Known: {', '.join(sbom.SEVERITIES)}",
        )  # fmt: skip


def _images(params: Mapping[str, Any]) -> list[Image]:
    found = [images.parse(item) for item in params["images"]]
    names = [image.name for image in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RolloutError(
            f"The image of {twice[0]} is there twice", reason="image_invalid", hint="Name each service once"
        )
    return found


def _chart(call: Call, named: Mapping[str, str]) -> Mapping[str, Any]:
    given = call.params["chart"]
    if not given:
        return {}
    wanted = Chart(*(str(given.get(key) or "") for key in ("file", "name", "version", "app_version")))
    name = manifest.safe(wanted.file, "chart")
    if name not in named:
        raise ArtifactError(
            f"The chart {name} is not among the files of the manifest, so anybody could have changed it",
            reason="chart_not_in_manifest", hint="Add it to the manifest of the release",
        )  # fmt: skip
    if (used := str(given.get("used") or "")) and not files.same(call.params["folder"], name, used):
        raise ArtifactError(
            f"Helm would take {used}, and the chart of the release is {name} in {call.params['folder']}",
            reason="chart_other_file", hint="Let promote_helm_chart be the chart that was approved",
        )  # fmt: skip
    found = files.chart_data(call.params["folder"], name)
    manifest.chart(wanted, found)
    _say(call, name, f"chart {found.get('name')} {found.get('version')} for {found.get('appVersion', 'no version')}")
    return {key: found.get(key) for key in ("name", "version", "appVersion")}


def _signature(params: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    from ansible_collections.tars.rollout.plugins.module_utils._govern import cosign

    name = str(item.get("file") or "")
    message = files.read(params["folder"], name, "signatures")
    signature = files.read(params["folder"], str(item.get("signature") or f"{name}.sig"), "signatures")
    cosign.blob(
        name, message, signature.decode(errors="replace"), _key(str(item.get("key") or params["signing_key"] or ""))
    )
    return name


def _sbom(call: Call, item: Mapping[str, Any], wanted: Mapping[str, str]) -> Mapping[str, str]:
    name = str(item.get("file") or "")
    if manifest.safe(name, "sboms") not in wanted:
        raise ArtifactError(
            f"The bill of materials {name} is not among the files of the manifest, so anybody could have changed it",
            reason="sbom_invalid", hint="Add it to the manifest of the release",
        )  # fmt: skip
    version = str(item.get("version") or call.params["version"] or "")
    about = sbom.check(
        name, files.read(call.params["folder"], name, "sboms"), version, call.params["forbid_severities"]
    )
    return {"file": name, "about": about}


def _registry(call: Call, named: list[Image]) -> list[Image]:
    """The images with all digests that mean each, each found whole in its registry; all at once."""
    if not named:
        return named
    # Not needed by a release that is looked at without its registry, and slow to import.
    from ansible_collections.tars.rollout.plugins.module_utils._govern import cosign, registry

    given = call.params["registry"] or {}
    login = registry.Login(
        str(given.get("username") or ""), str(given.get("password") or ""), bool(given.get("plain_http")),
        given.get("ca"), given.get("validate_certs", True) is not False, float(given.get("timeout") or 20.0),
    )  # fmt: skip
    key = _key(call.params["image_key"]) if call.params["image_key"] else b""

    def look(image: Image) -> Image:
        call.stop.check(f"about to ask for the image of {image.name}")
        with registry.Registry(image.registry, image.repository, login, call.clock, call.scrubber) as source:
            found = registry.pullable(source, image)
            if key:
                cosign.image(source, image, key)
        _say(call, image.name, f"{image.said} can be pulled{', signed' if key else ''}")
        return replace(image, also=found)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look, named))


def _pods(call: Call, named: Sequence[Image], client: Any) -> list[images.Running]:
    from ansible_collections.tars.rollout.plugins.module_utils import _cluster
    from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind

    source = client or _cluster.connect(call)
    pods = source.list(Kind("v1", "pods"), call.params["namespace"], labels=call.params["label_selector"])
    found = images.running(named, pods)
    wrong = [item for item in found if item.fits is False]
    if wrong:
        told = "; ".join(f"{item.pod} runs {item.image} as {item.seen}" for item in wrong)
        raise ArtifactError(
            f"In {call.params['namespace']} run other bytes than those of the release: {told}",
            reason="image_not_of_release",
            hint="The tag was pushed again between build and pull: take those pods away, push the image of the release",
            details={"pods": [asdict(item) for item in wrong]},
        )  # fmt: skip
    must = [image for image in named if image.name in call.params["services"]] if call.params["services"] else named
    absent = [image.said for image in must if not any(item.name == image.name and item.fits for item in found)]
    if absent or not must:
        told = ", ".join(absent) or f"an image that is named after {', '.join(call.params['services'])}"
        raise ArtifactError(
            f"In {call.params['namespace']} no pod runs {told}",
            reason="image_not_running",
            hint="Deploy the images of the release under the names that it gives them, each named after its service",
        )
    unknown = [item.pod for item in found if item.fits is None]
    if unknown:
        call.warn(f"Not known yet which bytes {', '.join(unknown)} run: they report no digest")
    _say(call, "pods", f"{len(found) - len(unknown)} run the images of the release")
    return found


def _key(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(files.SMALL)
    except OSError as error:
        raise RolloutError(
            f"The key {path or '(none given)'} cannot be read: {error.strerror}",
            reason="key_missing",
            hint="Give the path of cosign.pub",
        ) from None


def _say(call: Call, subject: str, seen: str) -> None:
    call.progress.line(Line(call.params["region"] or "", "artifacts", subject, seen, "OK"))
