# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to ssh-keygen: signs bytes and verifies signatures. The only one here that starts a program.

Signatures are those of OpenSSH (PROTOCOL.sshsig), so anybody can verify one without us:
``ssh-keygen -Y verify -f allowed_signers -I PRINCIPAL -n tars.rollout -s FILE.sig < FILE``.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern.plain import open_file
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import NAMESPACE

PROGRAM = "ssh-keygen"
# A key on a token may wait for a touch.
SIGN_S = 60.0
VERIFY_S = 20.0
BEGIN = "-----BEGIN SSH SIGNATURE-----"
_GOOD = re.compile(r'^Good "[^"]*" signature .* with (\S+) key (SHA256:\S+)\s*$', re.MULTILINE)


class SignatureError(RolloutError):
    """A signature that could not be made, or that does not hold."""


class Verifier:
    """Verifies against one reading of an allowed-signers file and, where given, of a revocation list."""

    def __init__(self, signers: Path, revoked: Path | None = None, path: str = "") -> None:
        """Private copies of both: what was checked is what is used. Made by ``verifier``; ``path`` is for sentences."""
        self._signers, self._path = signers, path or str(signers)
        self._revoked = revoked

    def verify(self, message: bytes, signature: str, principal: str, at: float) -> str:
        """The fingerprint of the principal's key that signed the message; SignatureError when none did.

        ``at``: the moment, in seconds since 1970, at which the key must have been valid.
        """
        if not signature.startswith(BEGIN):
            raise _bad("it is no signature of ssh-keygen")
        when = datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%SZ")
        with tempfile.NamedTemporaryFile("w", prefix="tars-sig-") as file:
            file.write(signature)
            file.flush()
            argv = ["-Y", "verify", "-f", str(self._signers), "-I", principal, "-n", NAMESPACE, "-s", file.name]
            argv += [f"-Overify-time={when}", *(["-r", str(self._revoked)] if self._revoked else [])]
            done = _run(argv, message, VERIFY_S)
        found = _GOOD.search(done.stdout.decode(errors="replace"))
        if done.returncode != 0 or found is None:
            said = _said(done).replace(str(self._signers), self._path)
            raise _bad(
                f"it does not hold for a key of {principal} in the allowed signers{f' ({said})' if said else ''}"
            )
        return found[2]


@contextmanager
def verifier(signers: str, revoked: str = "") -> Iterator[Verifier]:
    """A verifier for an allowed-signers file; RolloutError where others could have written to it."""
    with tempfile.TemporaryDirectory(prefix="tars-signers-") as folder:
        copies: list[Path | None] = [None, None]
        for place, (what, path) in enumerate((("allowed signers", signers), ("revoked keys", revoked))):
            if path:
                copies[place] = copy = Path(folder) / str(place)
                copy.write_bytes(_trusted(what, path))
        yield Verifier(copies[0] or Path(os.devnull), copies[1], signers)


def sign(message: bytes, key: str) -> str:
    """The signature of the message by the key of that file; a public key asks the agent for its private half.

    The file of a key with a passphrase is refused, as nobody could be asked for it: load it into an agent.
    """
    if not os.path.isfile(key):
        raise SignatureError(
            f"The key {key} is not there", reason="key_missing",
            hint="Give the path of a private key, or of a public key whose private half is in the ssh agent",
        )  # fmt: skip
    done = _run(["-Y", "sign", "-f", key, "-n", NAMESPACE], message, SIGN_S)
    signature = done.stdout.decode(errors="replace")
    if done.returncode != 0 or not signature.startswith(BEGIN):
        raise SignatureError(
            f"The key {key} could not sign: {_said(done) or 'ssh-keygen gave no signature'}", reason="sign_failed",
            hint="A key with a passphrase is used through the agent: ssh-add it, and give the path of its public key",
        )  # fmt: skip
    return signature


def _run(argv: Sequence[str], message: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    # No terminal and no window: a question would be asked of nobody and wait for ever.
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "SSH_ASKPASS")}
    env |= {"LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        return subprocess.run(
            [PROGRAM, *argv], input=message, capture_output=True, timeout=seconds, env=env, check=False,
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise SignatureError(
            "ssh-keygen is not installed", reason="ssh_keygen_missing", hint="Install OpenSSH's client, 8.9 or newer"
        ) from None
    except subprocess.TimeoutExpired:
        raise SignatureError(
            f"ssh-keygen had not ended after {seconds:g} s",
            reason="sign_failed",
            hint="Touch the token in time, or look at the agent",
        ) from None


def _trusted(what: str, path: str) -> bytes:
    """The content of a file that only root or this user can have written; a fault names what is open to others."""
    try:
        with open_file(path) as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except OSError as error:
        raise RolloutError(
            f"The {what} {path} cannot be read: {error.strerror}", reason="signers_unreadable",
            hint="Give the path of such a file, see ssh-keygen(1)",
        ) from None  # fmt: skip
    owners = (0, os.geteuid())
    seen = ""
    if status.st_mode & 0o022 or status.st_uid not in owners:
        seen = "the file can be written by others,"
    elif loose := next((folder for folder in _way(path) if _open_to_others(os.stat(folder), owners)), ""):
        seen = f"the way to it leads through {loose}, a folder that others may write to,"
    if seen:
        raise RolloutError(
            f"The {what} {path} cannot be used: {seen} so anybody could change who is named in it",
            reason="signers_writable",
            hint="chmod go-w the file and the folders above it, and let root or the user who runs this own them",
        )
    return content


def _way(path: str) -> Iterator[str]:
    """Every folder that is looked into on the way to a file, those of its links too: whoever may write to one of them
    can put another file at the end, as sshd knows of its own."""
    rest = [part for part in reversed(os.path.abspath(path).split("/")) if part]
    here, links = "/", 0
    yield here
    while rest:
        part = rest.pop()
        if part in (".", ".."):
            here = os.path.dirname(here) if part == ".." else here
            continue
        step = os.path.join(here, part)
        if os.path.islink(step) and links < 40:
            links += 1
            target = os.readlink(step)
            here = "/" if target.startswith("/") else here
            rest += [name for name in reversed(target.split("/")) if name]
        elif rest:
            here = step
            yield here


def _open_to_others(folder: os.stat_result, owners: Sequence[int]) -> bool:
    # In a folder like /tmp the sticky bit keeps others from replacing the file.
    return folder.st_uid not in owners or bool(folder.st_mode & 0o022 and not folder.st_mode & 0o1000)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
    return "".join(char for char in lines[0] if char.isprintable())[:200].rstrip(" .") if lines else ""


def _bad(seen: str) -> SignatureError:
    return SignatureError(
        f"The signature does not count: {seen}", reason="signature_invalid",
        hint="Sign the statement as it is, with a key that stands in the allowed signers",
    )  # fmt: skip
