# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import re
from functools import lru_cache

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Matchers, Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import Labels


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def matches(labels: Labels, matchers: Matchers) -> bool:
    """Whether every matcher, a fully anchored regular expression, fits its label; an absent label is empty."""
    return all(_pattern(text).fullmatch(labels.get(label, "")) for label, text in matchers.items())


def arms_of(slo: Slo, spec: Spec, labels: Labels) -> list[str]:
    """Which arms of the service a series of this objective's metric counts for; ["any"] where arms do not matter."""
    if not matches(labels, slo.match):
        return []
    if slo.arm == "any":
        return ["any"]
    wanted = spec.arms if slo.is_share else {slo.arm: spec.arms.get(slo.arm, {})}
    return [arm for arm, matchers in wanted.items() if matches(labels, matchers)]


def parts(slo: Slo) -> tuple[str, ...]:
    """The names of the series that an objective reads."""
    if slo.expr:
        # The query itself stands for the name of what it answers.
        return (slo.expr,)
    if slo.kind == "latency":
        return (f"{slo.metric}_bucket", f"{slo.metric}_count")
    return (slo.metric,)
