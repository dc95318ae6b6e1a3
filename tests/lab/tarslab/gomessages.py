# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Go says about modules that it cannot get, as one sentence."""

from __future__ import annotations

import os
import re


def explain(stderr: str, what: str) -> str:
    """Turn Go's complaint about modules into one sentence."""
    proxy = os.environ.get("GOPROXY") or "Go's default"
    refused = re.search(r"([\w.~/-]+\.[\w.~/-]+)@(v[\w.+-]+): [^\n]*?(40[34]|410)\b[^\n]*", stderr)
    if refused:
        return (
            f"The Go module proxy ({proxy}) refuses {refused[1]} in version {refused[2]} (answer {refused[3]}), which "
            f"{what} needs: set GOPROXY to a proxy that has it, or pin a version that is served (tests/lab/go)."
        )
    unreachable = re.search(
        r"((?:dial tcp|no such host|connection refused|i/o timeout|TLS handshake|x509:|proxyconnect)[^\n\"]*)", stderr
    )
    if unreachable:
        cause = unreachable[1].strip(' "')
        return (
            f"The Go module proxy ({proxy}) cannot be reached ({cause}), so the modules for {what} "
            "cannot be fetched: check the network and GOPROXY."
        )
    if "missing go.sum entry" in stderr or "updates to go.mod needed" in stderr:
        return (
            f"go.mod and go.sum for {what} do not belong together: after a changed version run "
            "`go list -mod=mod -deps tool` in that folder of tests/lab/go, and commit both files."
        )
    said = stderr.strip().splitlines()
    return f"The Go modules for {what} cannot be fetched; go said: {said[-1] if said else 'nothing'}."
