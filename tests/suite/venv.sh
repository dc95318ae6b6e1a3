#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# venv.sh DIR CORE: a virtual environment with ansible-core CORE (2.18 or 2.19), the pinned test tools and kubernetes.core.
# Idempotent: done in an instant when the pins have not changed since the last time.
set -euo pipefail

dir=$1 core=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
python=${PYTHON:-python3}
pins=("tests/requirements/core-$core.txt" requirements.yml)
stamp=$(cat "${pins[@]}" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/.stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0

command -v "$python" >/dev/null || { echo "venv: no '$python' on PATH; install Python 3.11 or newer with its venv module, or name one with PYTHON=..." >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "venv: $("$python" --version) is too old; Python 3.11 or newer is needed: name one with PYTHON=..." >&2; exit 1; }
"$python" -c 'import ensurepip' 2>/dev/null ||
  { echo "venv: $python has no venv module; install it (Debian: apt-get install python3-venv)" >&2; exit 1; }

echo "venv: making $dir with ansible-core $core (one to two minutes)"
rm -rf "$dir"
"$python" -m venv "$dir"
"$dir/bin/pip" install --quiet --disable-pip-version-check -r "tests/requirements/core-$core.txt"

# kubernetes.core from Galaxy; where Galaxy cannot be reached, the same collection out of the PyPI package "ansible".
site=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if ! timeout 60 "$dir/bin/ansible-galaxy" collection install --requirements-file requirements.yml --collections-path "$site" >"$dir/galaxy.log" 2>&1; then
  echo "venv: Galaxy did not answer (see $dir/galaxy.log); taking kubernetes.core from the PyPI package 'ansible'"
  wheel=$(mktemp -d)
  trap 'rm -rf "$wheel"' EXIT
  "$dir/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$wheel" "ansible==12.3.0"
  "$dir/bin/python" - "$wheel" "$site" <<'P'
import pathlib, sys, zipfile
wheel, site = next(pathlib.Path(sys.argv[1]).glob("*.whl")), sys.argv[2]
with zipfile.ZipFile(wheel) as z:
    z.extractall(site, [n for n in z.namelist() if n.startswith("ansible_collections/kubernetes/core/")])
P
fi
echo "$stamp" >"$dir/.stamp"
