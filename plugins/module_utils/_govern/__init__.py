# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Who may roll out what, when, and with which bytes.

``windows``, ``statement``, ``policy``, ``permit``, ``manifest``, ``images``, ``sbom``, ``plan``, ``page``, ``cluster``
and ``signoff`` are pure: what they judge and the time are handed in. ``sshsig`` is the only one that starts a program
(ssh-keygen), ``folder`` reads statements and keys, ``registry`` asks a registry, ``survey`` asks a cluster.
"""

from __future__ import annotations
