# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong in the lab, said in one plain sentence."""

from __future__ import annotations


class LabError(Exception):
    """An expected fault: what was tried, on what, what was seen and what to do about it.

    The command line prints the text as it stands and ends with code 1; anything else that is raised is a bug of ours
    and keeps its traceback.
    """


class Interrupted(LabError):
    """The user ended the command (Ctrl-C, SIGTERM); whatever was finished stays and the next run goes on from there."""
