# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Objectives that other tools wrote, as objectives of a gate: ``openslo`` and ``argo`` read documents, ``promql`` the
few forms of a query that count something. What cannot be said in a gate file is listed, never dropped in silence.
"""
