# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Statements in a folder: each a file, and beside it its signature with ``.sig`` at the end, as ssh-keygen names it."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import statement as statements
from ansible_collections.tars.rollout.plugins.module_utils._govern.plain import open_file
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import Signed
from ansible_collections.tars.rollout.plugins.module_utils._govern.sshsig import SignatureError, Verifier
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import Statement

MOST = 500
"""More files than that are no approvals of one release."""


def read(folder: str, verifier: Verifier, at: float) -> list[Signed]:
    """Every statement of the folder, in the order of the names; a folder that is not there holds none."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RolloutError(
            f"The approvals in {folder} cannot be read: {error.strerror}", reason="approvals_unreadable",
            hint="Give the folder that approve.yml writes to",
        ) from None  # fmt: skip
    if len(names) > MOST:
        raise RolloutError(
            f"There are {len(names)} files in {folder}, more than {MOST}", reason="approvals_unreadable",
            hint="Give the folder of this release, and move old approvals away",
        )  # fmt: skip
    return [_one(Path(folder, name), verifier, at) for name in names]


def write(folder: str, statement: Statement, signature: str) -> Path:
    """Both files, the signature last: a statement without one does not count. Gives the path of the statement."""
    path = Path(folder, statement.filename)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for target, content in ((path, statements.dump(statement)), (signature_of(path), signature.encode())):
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
    except OSError as error:
        raise RolloutError(
            f"The statement could not be written to {path}: {error.strerror}", reason="approvals_unwritable",
            hint="Give a folder that you may write to; nothing counts that has no signature beside it",
        ) from None  # fmt: skip
    return path


def signature_of(path: Path) -> Path:
    """Where the signature of a file is."""
    return path.with_name(f"{path.name}.sig")


def _one(path: Path, verifier: Verifier, at: float) -> Signed:
    said: Statement | None = None
    try:
        raw = _read(path)
        said = statements.load(raw)
        key = verifier.verify(raw, _read(signature_of(path)).decode(errors="replace"), said.principal, at)
    except SignatureError as error:
        if error.reason != "signature_invalid":
            raise
        return Signed(path.name, said, problem=(f"{said.kind if said else 'statement'}_signature", error.msg))
    except RolloutError as error:
        return Signed(path.name, said, problem=(error.reason, error.msg))
    except FileNotFoundError:
        return Signed(path.name, said, problem=("statement_unsigned", "it has no signature beside it"))
    except OSError as error:
        return Signed(path.name, said, problem=("statement_unreadable", f"it cannot be read: {error.strerror}"))
    return Signed(path.name, said, key)


def _read(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read(statements.MAX_BYTES + 1)
