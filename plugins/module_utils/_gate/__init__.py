# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The judgement of a canary stage: counts in, verdict out. No I/O, no clock, no Ansible; standard library only.

``spec`` what is to be judged, ``gatefile`` how people write it (``checked``, ``units``, ``keys``), ``laws`` the
formulas, ``process`` how evidence grows, ``shares`` and ``rules`` one objective each, ``gate`` all of them together,
``explain`` the sentences, ``forecast`` what can be decided.
"""
