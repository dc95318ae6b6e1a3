# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""schemathesis against the doubles: whatever is asked, no fault of the server and no answer that the document lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from announce_tools import DOUBLES, TOKEN, Doubles

HEADERS = {"statuspage": f"OAuth {TOKEN}", "slack": f"Bearer {TOKEN}", "pagerduty": "none", "github": f"Bearer {TOKEN}"}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize("name", HEADERS)
def test_no_answer_is_undocumented(name: str, doubles: Doubles, tmp_path: Path) -> None:
    document = DOUBLES / name / f"{name}_double" / f"{name}.yaml"
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "run", str(document), "--url", doubles.root, "--header", f"Authorization: {HEADERS[name]}"]
    command += ["--checks", CHECKS, "--max-examples", "10", "--seed", "1", "--phases", "examples,coverage,fuzzing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    own = [problem for problem in doubles.problems() if problem.startswith("the double's own answer")]
    assert not own, own[:3]
