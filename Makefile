# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PYTHON
LAB := tests/lab/lab
# make lab-up LAB_OPTIONS="--nodes 3"; make stage STAGE=sanity
LAB_OPTIONS ?=
STAGE ?=
SUITE := PYTHONPATH=tests/suite .venv/bin/python -m tars_suite

.PHONY: help venv test test-all stage lint unit sanity cases integration molecule rollouts budget lab-up lab-down lab-status demo bench-gate bench-gate-live bench-gate-fuse bench-dead-man chaos bench-govern bench-traffic bench-pg bench-gate-cost build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## make .venv: ansible-core 2.19, the pinned test tools, kubernetes.core
	@tests/suite/venv.sh .venv 2.19

test: venv ## what CI runs; brings up the lab if it is not up, and takes down what it brought up
	@$(SUITE)

test-all: venv ## the same and the long rest
	@$(SUITE) --all

stage: venv ## one stage: make stage STAGE="core 2.18" (names: make budget)
	@$(SUITE) --stage "$(STAGE)"

lint unit sanity cases integration molecule rollouts: venv ## that stage alone
	@$(SUITE) --stage $@

budget: venv ## the stages and their minutes
	@$(SUITE) --all --list

lab-up: venv ## the lab: Kubernetes, mesh, Prometheus, PostgreSQL, Redis, the services (first time: see README)
	@$(LAB) up $(LAB_OPTIONS)

lab-status: venv ## what of the lab is up, and what it uses
	@$(LAB) status

lab-down: venv ## take the lab down; what was built stays in the cache
	@$(LAB) down

bench-gate: venv ## how fast and how wrongly slo_gate decides, simulated: build/bench/gate.json
	@PYTHONPATH=.ansible/collections:tests/bench .venv/bin/python tests/bench/bench_gate.py

bench-gate-cost: venv ## what slo_gate costs: CPU of the judgement, requests and samples of a poll (needs Prometheus)
	@PYTHONPATH=.ansible/collections:tests/bench:tests/servers:tests/lab .venv/bin/python tests/bench/bench_gate_cost.py

bench-gate-live: venv ## the same against a real Prometheus, by the wall clock (about 3 minutes)
	@PYTHONPATH=.ansible/collections:tests/bench:tests/servers:tests/lab .venv/bin/python tests/bench/bench_gate_live.py

bench-gate-fuse: venv ## from the deciding sample to the verdict, and to the patch at the API server (on the lab, about 2 minutes)
	@PYTHONPATH=.ansible/collections:tests/bench:tests/servers:tests/lab tests/lab/with_lab .venv/bin/python tests/bench/bench_gate_fuse.py

bench-govern: venv ## what governance adds to a run: build/bench/govern.json
	@PATH="$$PWD/.venv/bin:$$PATH" .venv/bin/python tests/bench/bench_govern.py

demo: venv ## the main job on the lab: a good release through all regions, a bad one rolled back (REGIONS=4, DEMO_KEEP=1)
	@PYTHONPATH=.ansible/collections:tests/demo:tests/lab .venv/bin/python -m tars_demo --regions $(or $(REGIONS),2)

bench-dead-man: venv ## how fast the dead-man brings stable back, in 20 namespaces of the lab at once (about 4 minutes)
	@PYTHONPATH=.ansible/collections tests/lab/with_lab .venv/bin/python tests/bench/bench_dead_man.py

# make chaos CHAOS_KILLS=100 CHAOS_SEED=7 CHAOS_REGION=us_west_2
CHAOS_KILLS ?= 20
CHAOS_REGION ?= us_west_2
chaos: venv ## kill the controller of rollouts at drawn moments and run the same command again (about 3 minutes a kill)
	@PYTHONPATH=.ansible/collections:tests/chaos:tests/lab tests/lab/with_lab .venv/bin/python -m tars_chaos --kills $(CHAOS_KILLS) --region $(CHAOS_REGION) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

bench-traffic: venv ## how exactly and how fast traffic moves, on the lab (40 minutes; BENCH_SHORT=1: about 4)
	@PYTHONPATH=.ansible/collections:tests/bench:tests/lab:tests/integration/lab tests/lab/with_lab .venv/bin/python tests/bench/bench_traffic.py

bench-pg: venv ## what an index costs over psql, beside postgresql_idx, and what updates feel: build/bench/pg.json
	@PYTHONPATH=.ansible/collections:tests/bench:tests/servers:tests/lab .venv/bin/python tests/bench/bench_pg.py

build: venv ## the collection's tarball, in build/
	@mkdir -p build && .venv/bin/ansible-galaxy collection build --force --output-path build

clean: ## remove what make made in this folder (not the lab: make lab-down; not its cache: tests/lab/lab down --purge)
	@if [ -d .lab ] && [ -x .venv/bin/python ] && $(LAB) status --quiet 2>/dev/null; then echo "clean: the lab is up and needs these files; run 'make lab-down' first" >&2; exit 1; fi
	rm -rf build .venv .venv-2.18 .lab .hypothesis .mypy_cache .ruff_cache .pytest_cache tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
