# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.plugin_utils._live import LiveAction


def program() -> Any:
    """The module, which an action plugin of the collection finds by itself."""
    path = Path(__file__).parents[1] / "library" / "wait_probe.py"
    spec = importlib.util.spec_from_file_location("wait_probe_module", path)
    if spec is None or spec.loader is None:
        raise AssertionError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ActionModule(LiveAction):
    """What each action plugin of the collection looks like; without the module Ansible starts an interpreter."""

    if os.environ["TARS_DEATH_WAY"] == "forked":
        _program = program()
