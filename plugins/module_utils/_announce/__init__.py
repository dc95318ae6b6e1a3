# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Announcements: one file per kind of receiver, what was sent, and one event told to all of them under one budget.

wire      how a receiver is reached: clock, budget, scrubber, check mode; what came of a message
sent      the file of what was sent, with its ids, and of what could not be sent
slack, pagerduty, mail, github, alertmanager, statuspage   one receiver each: say it once, or bring up to date
receivers the options of a receiver
batch     one event to all receivers at once
"""

from __future__ import annotations
