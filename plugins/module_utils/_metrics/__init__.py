# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to Prometheus: raw samples in, counts per objective, arm and scrape out.

``series`` differences counters, ``books`` (``book``, ``latency_book``, ``buckets``, ``freshness``) add up what each
objective needs, ``store`` holds both for all services of a call, ``session`` judges poll by poll; ``query`` writes
selectors, ``prometheus`` asks, ``answer`` checks what comes, ``reader`` makes one raw read per poll of it.
"""
