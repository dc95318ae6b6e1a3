# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The result of a call and its lines, from what stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.gate import Standing
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import PASS, ROLLBACK, Finding, Spec

NOT_YET = "not yet"
# Rows of evidence in a result: enough to draw a stage, small enough for a log.
ROWS = 2000
# Evidence of less than 3:1 is noise.
SPEAKING = math.log(3)
_LOG10 = math.log(10)


def line(finding: Finding, at: float) -> str:
    """One objective: "ROLLBACK error_rate at 75 s: 23 of 378 canary requests failed (6.1 %), ..." """
    when = f" at {at:.0f} s" if finding.verdict == ROLLBACK else ""
    return f"{finding.verdict.upper()} {finding.slo}{when}: {finding.text}"


def standing_line(standing: Standing, at: float) -> str:
    """A service: the line of the objective that decides, or of the source."""
    if standing.slo:
        return line(next(f for f in standing.findings if f.slo == standing.slo), at)
    if standing.verdict == PASS:
        return f"PASS: {len(standing.findings)} of {len(standing.findings)} objectives hold"
    return f"{standing.verdict.upper()} {standing.reason}: {standing.text}"


def seen(standing: Standing) -> str:
    """For a live line: the figures of the objective that matters most now."""
    finding = _leading(standing)
    if finding is None or not standing.findings:
        return standing.text
    if not finding.total.n:
        return f"{finding.slo} {finding.text}"
    total = finding.total
    text = f"{finding.slo} {total.bad:,.0f}/{total.n:,.0f} ({explain.share(total.bad, total.n)})"
    if total.m > 0:
        text += f" vs stable {explain.share(total.base, total.m)}"
    log = max(finding.worse, finding.above)
    # Odds that mean nothing yet would only make people worry.
    return f"{text}  {explain.odds(log)} against" if log > SPEAKING else text


def _leading(standing: Standing) -> Finding | None:
    named = next((f for f in standing.findings if f.slo == standing.slo), None)
    shares = [f for f in standing.findings if f.total.n]
    return named or max(shares, key=lambda f: max(f.worse, f.above), default=None)


def service(spec: Spec, standing: Standing, at: float) -> dict[str, Any]:
    """One entry of services[]. A service that was not through when another one rolled back has no verdict."""
    if standing.decided:
        head = {"verdict": standing.verdict, "reason": standing.reason, "slo": standing.slo}
        text = standing_line(standing, at)
    else:
        head = {"verdict": NOT_YET, "reason": "", "slo": ""}
        text = f"{NOT_YET.upper()} after {at:.0f} s: {standing_line(standing, at)}"
    return {
        "service": spec.service,
        **head,
        "line": text,
        "slos": [slo(finding, at) for finding in standing.findings],
    }


def slo(finding: Finding, at: float) -> dict[str, Any]:
    return {
        "slo": finding.slo,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "line": line(finding, at),
        "canary_bad": finding.total.bad,
        "canary_total": finding.total.n,
        "stable_bad": finding.total.base,
        "stable_total": finding.total.m,
    }


def rows(name: str, standing: Standing, at: float) -> list[dict[str, Any]]:
    """Evidence of one service after one poll; logarithms to base ten, 0 for hard rules."""
    return [
        {
            "t": round(at, 2),
            "service": name,
            "slo": finding.slo,
            "verdict": finding.verdict,
            "x": round(finding.total.bad, 3),
            "n": round(finding.total.n, 3),
            "y": round(finding.total.base, 3),
            "m": round(finding.total.m, 3),
            "worse": round(finding.worse / _LOG10, 3),
            "worse_needed": round(finding.worse_needed / _LOG10, 3),
            "above": round(finding.above / _LOG10, 3),
            "above_needed": round(finding.above_needed / _LOG10, 3),
            "excluded": round(finding.certified / _LOG10, 3),
            "excluded_needed": round(finding.certify_needed / _LOG10, 3),
        }
        for finding in standing.findings
    ]


def bounded(evidence: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """At most ROWS rows: polls are left out evenly, the last one stays."""
    total = sum(map(len, evidence))
    if total <= ROWS:
        return [row for poll in evidence for row in poll]
    step = -(-total // ROWS)
    kept = [poll for index, poll in enumerate(evidence) if (len(evidence) - 1 - index) % step == 0]
    return [row for poll in kept for row in poll][-ROWS:]


def bound(share: float, services: int, stages: int) -> str:
    """What the budget for wrong rollbacks adds up to over a plan."""
    counts = " and ".join(
        f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((services, "service"), (stages, "stage"))
    )
    return f"a healthy release is rolled back with a chance of at most {100 * share:.3g} % over {counts}"


def message(result: Mapping[str, Any]) -> str:
    """The first line of a task that fails by its verdict."""
    decided = [entry for entry in result["services"] if entry["verdict"] == result["verdict"]]
    first = decided[0] if decided else {"service": "", "line": result["reason"]}
    return f"{first['service']}: {first['line']}"
