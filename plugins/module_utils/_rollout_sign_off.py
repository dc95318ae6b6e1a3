# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_sign_off: write the sign-off of a release, sign it, or verify it later."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import signoff, sshsig
from ansible_collections.tars.rollout.plugins.module_utils._govern.sshsig import SignatureError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, seconds_of

Reader = Callable[[Mapping[str, Any]], "Mapping[str, Any] | None"]
MOST = 64 * 1024 * 1024


def run(call: Call, read_record: Reader | None = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; ``read_record`` gives the record of a region, from its cluster when not
    given."""
    params = call.params
    path = Path(params["path"])
    if params["state"] == "present":
        return _write(call, path, read_record or _reader(call))
    raw = _read(path)
    data = signoff.load(raw, str(path))
    signoff.check_subject(data, params["app"] or "", params["release"] or "", str(path))
    if params["state"] == "signed":
        return _sign(call, path, raw, data)
    return _verify(call, path, raw, data)


def _write(call: Call, path: Path, reader: Reader) -> Mapping[str, Any]:
    params = call.params
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader, params["regions"]))
    records = {str(region["name"]): record for region, record in zip(params["regions"], found, strict=True)}
    promised = {key: params[key] or "" for key in ("app", "release", "plan_hash", "artifacts")} | {
        "page": params["page"]
    }
    before = signoff.load(_read(path), str(path)) if path.exists() else None
    if before is not None:
        promised = signoff.kept(before["promised"], promised)
    book = _read(Path(params["ledger"])) if params["ledger"] and os.path.exists(params["ledger"]) else b""
    data = signoff.document(promised, records, book, moment(call.clock.now()), params["run_id"] or "")
    changed = before is None or not signoff.alike(before, data)
    if changed and before is not None and (signed := _signatures(path)):
        raise RolloutError(
            f"The sign-off {path} is signed by {', '.join(who for _name, _role, who in signed)}, and more has happened",
            reason="sign_off_signed", hint="Keep it with its signatures under another name, then write the new one",
        )  # fmt: skip
    if changed and not call.check_mode:
        call.stop.check("about to write the sign-off")
        _put(path, signoff.dump(data))
    told = data if changed else before or data
    return {
        "changed": changed, "path": str(path), "differences": told["differences"], "document": told,
        "diff": {"before": signoff.dump(before).decode() if before else "", "after": signoff.dump(told).decode()},
    }  # fmt: skip


def _sign(call: Call, path: Path, raw: bytes, data: Mapping[str, Any]) -> Mapping[str, Any]:
    params = call.params
    role, principal = params["role"] or "", params["principal"] or ""
    target = path.with_name(signoff.signature_name(path.name, role, principal))
    if principal not in (params["roles"].get(role) or ()):
        raise RolloutError(
            f"{principal} is not named as {role}, so the signature would not count", reason="sign_off_role",
            hint=f"As {role} may sign: {', '.join(map(str, params['roles'].get(role) or ())) or 'nobody yet'}",
        )  # fmt: skip
    now = call.clock.now()
    with sshsig.verifier(params["signers"], params["revoked"] or "") as verifier:
        if target.exists():
            try:
                verifier.verify(raw, _read(target).decode(errors="replace"), principal, now)
                return {"changed": False, "path": str(target), "differences": data["differences"]}
            except SignatureError as error:
                if error.reason != "signature_invalid":
                    raise
        if not call.check_mode:
            signature = sshsig.sign(raw, params["key"])
            verifier.verify(raw, signature, principal, now)
            _put(target, signature.encode())
    return {"changed": True, "path": str(target), "differences": data["differences"]}


def _verify(call: Call, path: Path, raw: bytes, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every signature at the time of the document, the ledger, and the roles that had to sign."""
    params = call.params
    signed = []
    with sshsig.verifier(params["signers"], params["revoked"] or "") as verifier:
        for name, role, principal in _signatures(path):
            item: dict[str, Any] = {"role": role, "principal": principal, "key": "", "holds": False, "text": ""}
            try:
                # A key may have ended since; what counts is that it was good when the release was signed off.
                signature = _read(path.with_name(name)).decode(errors="replace")
                item["key"] = verifier.verify(raw, signature, principal, seconds_of(data["at"]))
                item["holds"] = principal in (params["roles"].get(role) or ())
                item["text"] = "" if item["holds"] else f"{principal} is not {role}"
            except SignatureError as error:
                if error.reason != "signature_invalid":
                    raise
                item["text"] = error.msg
            signed.append(item)
    wrong = [
        f"the signature of {item['principal']} as {item['role']}: {item['text']}"
        for item in signed
        if not item["holds"]
    ]
    wrong += [f"{role} has not signed" for role in signoff.missing(params["required"], signed)]
    if params["ledger"] and not signoff.same_ledger(data, _read(Path(params["ledger"]))):
        wrong.append(f"the ledger {params['ledger']} is not the one that was signed")
    if wrong:
        raise RolloutError(
            f"The sign-off {path} does not hold: {'; '.join(wrong)}", reason="sign_off_unproven",
            hint="Take document, signatures and ledger as they were signed, or let those who are missing sign",
            details={"signed": signed},
        )  # fmt: skip
    return {"changed": False, "path": str(path), "signed": signed, "differences": data["differences"], "document": data}


def _signatures(path: Path) -> list[tuple[str, str, str]]:
    """Name, role and principal of each signature beside the document."""
    found = [(name, signoff.parts(path.name, name)) for name in sorted(os.listdir(path.parent))]
    return [(name, *who) for name, who in found if who is not None]


def _reader(call: Call) -> Reader:
    # Slow to import, and not needed to sign or verify.
    from ansible_collections.tars.rollout.plugins.module_utils import _kube
    from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store

    def read(region: Mapping[str, Any]) -> Mapping[str, Any] | None:
        client = _kube.from_kubeconfig(str(region["kubeconfig"]), str(region.get("context") or ""), call.scrubber)
        stored = Store(client, str(region["namespace"]), call.params["app"]).read()
        return None if stored.record is None else asdict(stored.record)

    return read


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST)
    except OSError as error:
        raise RolloutError(
            f"The file {path} cannot be read: {error.strerror}",
            reason="sign_off_unreadable",
            hint="Check the path; the sign-off is written when a rollout ends",
        ) from None


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all: a name appears when everything is behind it."""
    scratch = path.with_name(f".{path.name}.new")
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        raise RolloutError(
            f"The file {path} cannot be written: {error.strerror}",
            reason="sign_off_unwritable",
            hint="Give a folder that you may write to",
        ) from None
