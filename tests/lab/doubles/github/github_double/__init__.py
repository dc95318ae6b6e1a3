# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub's deployments and deployment statuses, as a plug-in of double_server.

`plugin` has the calls and one repository's deployments, `github.yaml` the contract.
"""

from __future__ import annotations
