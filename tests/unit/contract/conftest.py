# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of roles and playbooks, made into values as Ansible itself does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:
    # Before core 2.19 every text is a template.
    def trust_as_template(value: Any) -> Any:
        return value


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.fixture
def template() -> Callable[[Any, Mapping[str, Any]], Any]:
    """The value of a text of a role, given its variables."""

    def value(text: Any, variables: Mapping[str, Any]) -> Any:
        return Templar(loader=DataLoader(), variables=trusted(dict(variables))).template(trusted(text))

    return value
