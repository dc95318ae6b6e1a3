# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Statuspage: one incident by a stable key, and the status of components.

words       statuses and kinds, and times as instants
wanted      the options of a call, checked as far as that goes without asking the page
find        which incident of a list is ours
plan        what to create, or what to change of the one that is there
postmortem, parts   the same for the postmortem, and for components
page        the port: the only file here that talks to the service
"""

from __future__ import annotations
