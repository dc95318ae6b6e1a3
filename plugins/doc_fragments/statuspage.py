# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches the status page."""

    DOCUMENTATION = r"""
options:
  page_id:
    description: Id of the page, as in its settings and in addresses of the API.
    type: str
    required: true
  api_key:
    description: API key of a user of the page. It is sent in a header and never shown.
    type: str
    required: true
    aliases: [api_token]
  api_url:
    description: Address of the API with its version.
    type: str
    default: https://api.statuspage.io/v1
  ca:
    description: Path of a bundle of certificates to trust instead of the common one.
    type: path
  validate_certs:
    description: Whether to check the certificate of the service.
    type: bool
    default: true
  timeout:
    description: Seconds for the whole task, repeats and waiting for the rate limit included.
    type: float
    default: 90.0
  rate_limit_max_wait:
    description:
      - Longest single wait in seconds when the service answers 420, 429 or 5xx, or not at all.
      - When it asks for longer the task fails at once and says for how long.
    type: float
    default: 60.0
  lookup_max_pages:
    description:
      - Pages of 100 incidents that are read at most, newest first.
      - A search that would have to go on is an error, since what was not found may still be there.
    type: int
    default: 20
"""
