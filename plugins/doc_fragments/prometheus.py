# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module of this collection reaches Prometheus."""

    DOCUMENTATION = r"""
options:
  prometheus:
    description: How to reach Prometheus, Thanos or VictoriaMetrics. Partial responses are denied.
    type: dict
    suboptions:
      url:
        description: Base address. Gate files may name it instead; all of a call must name the same.
        type: str
      token:
        description: Bearer token.
        type: str
      username:
        description: User for basic authentication.
        type: str
      password:
        description: Password for basic authentication.
        type: str
      headers:
        description: More headers that hold no secret, such as C(X-Scope-OrgID). They may appear in messages.
        type: dict
      secret_headers:
        description: More headers whose values are secret.
        type: dict
      ca:
        description: Path of a bundle of certificate authorities.
        type: path
      client_cert:
        description: Path of a client certificate.
        type: path
      client_key:
        description: Path of its key.
        type: path
      proxy:
        description: Address of a proxy; by default what the environment says.
        type: str
      validate_certs:
        description: Whether the server's certificate is checked.
        type: bool
        default: true
      timeout:
        description: How long a query may take, with its unit. 10 seconds by default.
        type: str
requirements:
  - requests (the Python library)
"""
