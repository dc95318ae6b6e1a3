# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service process is told from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tarsapp.config import ConfigError, load, read_release
from tarsapp.faults import Faults


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "release.json"
    path.write_text(json.dumps({"version": "1.1.0", "faults": {"error_share": 0.06}, "services": ["api", "ppo"]}))
    return path


def environ(release: Path, **more: str) -> dict[str, str]:
    return {"TARS_SERVICE": "api", "TARS_RELEASE_FILE": str(release), "POD_NAME": "api-1", **more}


def test_defaults(release: Path) -> None:
    settings = load(environ(release))
    assert (settings.version, settings.pod, settings.port, settings.drain) == ("1.1.0", "api-1", 8080, 5.0)
    assert settings.faults == Faults(error_share=0.06)
    assert settings.sentinels == ()


@pytest.mark.parametrize(("service", "share"), [("api", 0.06), ("ppo", 0.06), ("insight", 0.0)])
def test_faults_strike_the_services_that_the_release_names(release: Path, service: str, share: float) -> None:
    assert load(environ(release, TARS_SERVICE=service)).faults.error_share == share


def test_the_environment_stands_in_place_of_the_releases_faults(release: Path) -> None:
    assert load(environ(release, TARS_FAULTS="{}")).faults == Faults()
    assert load(environ(release, TARS_SERVICE="insight", TARS_FAULTS='{"latency_ms": 5}')).faults.latency_ms == 5


def test_sentinels(release: Path) -> None:
    settings = load(environ(release, TARS_REDIS_SENTINELS="s-0.s.data:26379, s-1.s.data:26380"))
    assert settings.sentinels == (("s-0.s.data", 26379), ("s-1.s.data", 26380))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"TARS_SERVICE": "apo"}, "TARS_SERVICE is 'apo'; it must be one of api, evaluation"),
        ({"TARS_SERVICE": ""}, "TARS_SERVICE is ''"),
        ({"TARS_RELEASE_FILE": "/nowhere/release.json"}, "/nowhere/release.json cannot be read: No such file"),
        ({"TARS_FAULTS": "{"}, "TARS_FAULTS is not JSON"),
        ({"TARS_FAULTS": '{"oops": 1}'}, "TARS_FAULTS: fault 'oops' is unknown"),
        ({"TARS_DRAIN_SECONDS": "soon"}, "TARS_DRAIN_SECONDS is 'soon'"),
        ({"TARS_DRAIN_SECONDS": "-1"}, "not negative"),
        ({"TARS_DRAIN_SECONDS": "nan"}, "TARS_DRAIN_SECONDS"),
        ({"TARS_REDIS_SENTINELS": "host"}, "must be a list like"),
    ],
)
def test_what_a_process_does_not_start_with(release: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load({**environ(release), **more})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is not JSON"),
        ([], "a text `version`"),
        ({"version": 1}, "a text `version`"),
        ({"version": "1", "fault": {}}, "unknown keys fault"),
        ({"version": "1", "services": ["apo"]}, "unknown services"),
        ({"version": "1", "services": "api"}, "unknown services"),
        ({"version": "1", "faults": {"x": 1}}, "the file: fault 'x' is unknown"),
    ],
)
def test_release_files_that_are_refused(content: Any, said: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ConfigError, match=said):
        read_release(text, "the file")
