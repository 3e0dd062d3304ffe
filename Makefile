# certferry. The two commands to know: make demo, make test.

PYTHON ?= python3
UV := $(or $(shell command -v uv),.tools/site-packages/bin/uv)
RUN := .venv/bin
STACK := $(RUN)/python -m deployments.local

# The servers and workers of the stack start in half the time from compiled files.
export UV_COMPILE_BYTECODE := 1

.PHONY: help demo up down status test check corpora fuzz bench chaos swaps fleet

help:
	@echo "make demo     a certificate's whole way, on a stack of its own, in about a minute"
	@echo "make up       a stack that stays, for you to click in;  make status, make down"
	@echo "make test     every test;  make check: lint, types, the rule of the rooms"
	@echo "make fuzz     search for files that break the judge, SECONDS=60 for each parser;  make bench: what things cost"
	@echo "make chaos    hand-overs under random faults, STRIKES=3000 SEED=1;  make swaps: swaps under traffic, SWAPS=10000"

demo: .venv/installed
	@$(STACK) demo

up: .venv/installed
	@$(STACK) up

down: .venv/installed
	@$(STACK) down

status: .venv/installed
	@$(STACK) status

# Two at a time, but those that start servers alone: two Prefect servers are more than two cores can carry.
test: .venv/installed
	$(RUN)/pytest -q -n 2 -m "not stack and not browser"
	$(RUN)/pytest -q -m "stack or browser"

# What the tests of tests/corpora judge beyond what the packages hold; without it those are skipped.
corpora: .venv/installed
	@$(RUN)/python -m tests.corpora.fetch_openssl

# First as many random examples as a coffee takes, then atheris, which learns what leads deeper into the code.
SECONDS ?= 60
fuzz: .venv/installed
	CERTFERRY_FUZZ_EXAMPLES=1000 $(RUN)/pytest -q tests/core/test_fuzz.py -k "not worst"
	@$(RUN)/python -m tests.fuzz --seconds $(SECONDS)

# WRITE=1 writes docs/bench.md as well.
bench: .venv/installed
	@$(RUN)/python -m tests.bench $(if $(WRITE),--write)

# The same SEED is the same storm; then every fault at every call, or a SHARE of them: 1/20. What was measured: docs/reliability.md
STRIKES ?= 3000
SEED ?= 1
SHARE ?= 1
chaos: .venv/installed
	@$(RUN)/python -m tests.chaos --strikes $(STRIKES) --seed $(SEED)
	@$(RUN)/python -m tests.chaos.sweep --share $(SHARE)

SWAPS ?= 10000
swaps: .venv/installed
	@$(RUN)/python -m tests.chaos.swaps $(SWAPS)

# Records of N hostnames in an empty database, to measure on: URL=sqlite:////var/tmp/fleet.db
N ?= 10000
fleet: .venv/installed
	@$(RUN)/python -m tests.fleet $(N) --url $(or $(URL),sqlite:///fleet-$(N).db) --seed $(SEED)

check: .venv/installed
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports

.venv/installed: pyproject.toml uv.lock $(filter .tools/%,$(UV))
	$(UV) sync --locked
	@touch $@

# Into the checkout, with pip alone: nothing of the machine is changed.
.tools/site-packages/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "certferry needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m pip --version > /dev/null \
		|| { echo "No uv and no pip here. Install either: apt-get install python3-pip, or uv from its site." >&2; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools/site-packages uv
