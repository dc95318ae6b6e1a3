#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible_test.sh WORDS...: ansible-test in a real collection path, with the environment that is first on PATH.
#
# ansible-test accepts neither a path without ansible_collections/NAMESPACE/NAME nor links to directories, so the files that
# git knows (and those it would take) are copied, without the link that serves checkouts.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
core=${ANSIBLE_CORE:-2.19}
home=$root/build/ansible-test-$core
tree=$home/ansible_collections/tars/rollout
rm -rf "$tree"
mkdir -p "$tree" "$home/.ansible/test/cache"
cd "$root"
git ls-files -z --cached --others --exclude-standard | grep -zv '^\.ansible/' |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar --create --null --files-from - | tar --extract --directory "$tree"
cd "$tree"
git init --quiet .
git add --all

# ansible-test makes its environments with a pip script that it downloads from a host of its own. This stands in for it with
# what Python brings along, so that a package index is all that is needed: same versions, installed by pip itself.
cat >"$home/.ansible/test/cache/get_pip_24_2.py" <<'P'
import ensurepip
import os
import subprocess
import sys

environment = dict(os.environ)  # ensurepip takes every setting of pip out of it
ensurepip.bootstrap(upgrade=True)
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *words], env=environment))
P

python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
code=0
HOME=$home ansible-test "$@" --python "$python" --color no || code=$?
[ -z "${JUNIT:-}" ] || cp tests/output/junit/*.xml "$(dirname "$JUNIT")/" 2>/dev/null || true
exit $code
