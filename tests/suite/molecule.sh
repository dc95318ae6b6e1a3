#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# molecule.sh SCENARIO [PART]: one molecule scenario, or the named part of it, against the lab whose variables are in the
# environment.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# Scenarios live under tests/ and not in molecule's own default folder; its state belongs to this checkout.
export MOLECULE_GLOB='tests/molecule/*/molecule.yml'
export MOLECULE_EPHEMERAL_DIRECTORY=$root/build/molecule/${ANSIBLE_CORE:-2.19}-$1
rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"
export SCENARIO_PART=${2:-all}
exec molecule test --scenario-name "$1"
