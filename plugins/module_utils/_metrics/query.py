# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Which selectors one poll needs: as few requests as possible, each as narrow as its objectives allow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Matchers, Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import parts

Groups = dict[tuple[bool, frozenset[str]], "Selector"]


@dataclass(frozen=True)
class Selector:
    """Series of any of ``names`` whose labels fit one of the alternatives of each matcher (anchored regexes).

    ``bounds``: texts of ``le`` to keep, None for all; series without ``le`` are kept in any case. ``scoped``: it reads
    arms, so it is never widened to one without any label.
    """

    names: frozenset[str]
    matchers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bounds: frozenset[str] | None = None
    scoped: bool = True

    @property
    def text(self) -> str:
        """The selector as PromQL."""
        labels = [f"__name__=~{quoted('|'.join(sorted(map(re.escape, self.names))))}"]
        labels += [f"{label}=~{quoted('|'.join(sorted(texts)))}" for label, texts in sorted(self.matchers.items())]
        if self.bounds is not None:
            # The empty alternative keeps the series that have no `le`.
            labels.append(f"le=~{quoted('|'.join([*sorted(map(re.escape, self.bounds)), '']))}")
        return "{" + ",".join(labels) + "}"

    def joined(self, other: Selector) -> Selector:
        """The smallest selector of this form with all series of both: labels that only one narrows by are dropped."""
        shared = self.matchers.keys() & other.matchers.keys()
        return Selector(
            self.names | other.names,
            {label: self.matchers[label] | other.matchers[label] for label in shared},
            scoped=self.scoped,
        )


def quoted(text: str) -> str:
    """A PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selectors(specs: Iterable[Spec]) -> list[Selector]:
    """Everything that all services read, in few selectors: usually one for the arms and one for what has no arm."""
    groups: Groups = {}
    for wanted in (selector for spec in specs for selector in _wanted(spec)):
        _put(groups, wanted)
    merged: list[Selector] = []
    for wanted in sorted(groups.values(), key=lambda wanted: (len(wanted.matchers), sorted(wanted.matchers))):
        home = next((i for i, known in enumerate(merged) if _covers(known, wanted)), None)
        if home is None:
            merged.append(wanted)
        else:
            merged[home] = merged[home].joined(wanted)
    return merged


def _covers(known: Selector, wanted: Selector) -> bool:
    return known.scoped == wanted.scoped and known.matchers.keys() <= wanted.matchers.keys()


def stable_selectors(specs: Iterable[Spec]) -> list[Selector]:
    """What the history of the baseline is read by."""
    groups: Groups = {}
    for spec in specs:
        names = frozenset(name for slo in spec.slos if slo.is_share for name in parts(slo))
        if names and spec.has_stable:
            _put(groups, Selector(names, alternatives(spec.arms["stable"])))
    return list(groups.values())


def with_bounds(selector: Selector, bounds: frozenset[str] | None) -> Selector:
    return replace(selector, bounds=bounds)


def _put(groups: Groups, wanted: Selector) -> None:
    keys = (wanted.scoped, frozenset(wanted.matchers))
    groups[keys] = groups[keys].joined(wanted) if keys in groups else wanted


def _wanted(spec: Spec) -> Iterable[Selector]:
    for slo in spec.slos:
        if slo.expr:
            continue
        names = frozenset(parts(slo))
        for arm in _arms(slo, spec):
            yield Selector(names, alternatives({**arm, **slo.match}), scoped=slo.arm != "any")
    if spec.expect_pods:
        for arm in spec.arms.values():
            yield Selector(frozenset({"up"}), alternatives(arm))


def _arms(slo: Slo, spec: Spec) -> list[Matchers]:
    if slo.arm == "any":
        return [{}]
    return list(spec.arms.values()) if slo.is_share else [spec.arms.get(slo.arm, {})]


def alternatives(matchers: Matchers) -> dict[str, frozenset[str]]:
    """Matchers in the form of a Selector."""
    return {label: frozenset({text}) for label, text in matchers.items()}


def needed_bounds(texts: Iterable[str], needed: Iterable[float]) -> frozenset[str]:
    """The texts of ``le`` that mean one of the boundaries, +Inf always among them."""
    numbers = {math.inf, *(number for number in needed if math.isfinite(number))}
    return frozenset({"+Inf"} | {text for text in texts if _number(text) in numbers})


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
