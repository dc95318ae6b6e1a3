# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the machine's kernel that kubelet changes: kept before the first cluster, given back after the last.

Kept in one file for all labs of the machine: a second lab would otherwise save what the first one's kubelet has set,
and the one that ends first would take them from under the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import files, locks

if TYPE_CHECKING:
    from .context import Lab

CHANGED = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
SYS = Path("/proc/sys")


def save(lab: Lab) -> None:
    """Write down the present values, unless another lab has done so already, and that this lab relies on them."""
    if not _ours(lab):
        return
    with locks.shared_place(_file(lab).with_suffix(".lock"), "lab up", lab.console.say):
        kept = files.read_json(_file(lab))
        values = kept.get("values") or {name: (SYS / name).read_text(encoding="ascii").strip() for name in CHANGED}
        labs = sorted({*kept.get("labs", []), lab.identity.id})
        files.write_json(_file(lab), {"values": values, "labs": labs})


def restore(lab: Lab) -> None:
    """Give the values back if no other lab of this machine is up."""
    if not _ours(lab) or not _file(lab).exists():
        return
    with locks.shared_place(_file(lab).with_suffix(".lock"), "lab down", lab.console.say):
        kept = files.read_json(_file(lab))
        labs = [one for one in kept.get("labs", []) if one != lab.identity.id]
        if labs:
            files.write_json(_file(lab), {**kept, "labs": labs})
            return
        for name, value in kept.get("values", {}).items():
            if name in CHANGED:
                (SYS / name).write_text(value, encoding="ascii")
        _file(lab).unlink()


def _file(lab: Lab) -> Path:
    # Beside the labs' run folders, so a reboot, which resets the kernel, takes it away too.
    return lab.paths.run.parent / "sysctl.json"


def _ours(lab: Lab) -> bool:
    return lab.engine is not None and lab.engine.is_private
