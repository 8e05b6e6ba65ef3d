# Everything here needs Python 3.11 or later with venv, make, and this checkout. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
# What is installed: this checkout, or the wheel that WHEEL names.
WHEEL ?=
PROVIDER ?=
SETTINGS ?=
REPORT ?= nomos-report
# Further words for pytest, for instance PYTEST_ARGS="-k fetch".
PYTEST_ARGS ?=
COVERAGE ?=
# --quick tries each mutant on the clauses only that it should break.
KILL_MATRIX_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tests look on PATH for what may be installed beside the interpreter (Go, for instance).
export PATH := $(abspath $(BIN)):$(PATH)

ifeq ($(WHEEL),)
PACKAGE := --editable ".[all]"
else
PACKAGE := "$(WHEEL)[all]"
endif

.PHONY: help certify test check bench kill-matrix wheel engine engine-stop test-oldest clauses-page interface-page generator check-tools clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

$(VENV)/.nomos-installed: pyproject.toml $(WHEEL)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pytest-nomos needs Python 3.11 or later; \
	name one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: \
	apt-get install python3-venv" >&2; exit 1; }
	@echo "installing pytest-nomos into $(VENV)"
	@$(PIP) install $(PACKAGE)
	@touch $@

# Dependency groups need a pip that is newer than the one in Debian 12.
$(VENV)/.nomos-test-tools: $(VENV)/.nomos-installed
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install $(PACKAGE) --group test
	@touch $@

$(VENV)/.nomos-check-tools: $(VENV)/.nomos-test-tools
	@$(PIP) install $(PACKAGE) --group test --group check
	@touch $@

check-tools: $(VENV)/.nomos-check-tools ## install what make check needs; more of make test runs with it

certify: $(VENV)/.nomos-installed ## certify the bundled file provider on examples/settings, or PROVIDER=./x
ifeq ($(PROVIDER),)
	@$(BIN)/pytest-nomos certify files --settings examples/nomos.toml --report $(REPORT)
else
	@$(BIN)/pytest-nomos certify $(PROVIDER) $(if $(SETTINGS),--settings $(SETTINGS)) --report $(REPORT)
endif

# COVERAGE=1 measures branches, subprocesses included, and fails below the bound in pyproject.toml. Providers have nothing
# of their host's environment: what mutants do is measured in a quick kill matrix.
test: $(VENV)/.nomos-test-tools ## run the whole test suite
ifeq ($(COVERAGE),)
	@$(BIN)/pytest $(PYTEST_ARGS)
else
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	@$(BIN)/python tools/measure.py $(BIN)/python tools/kill_matrix.py --quick --json kill-matrix.json
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
endif

# An environment of its own: everything else runs with the newest pytest.
test-oldest: .pytest8/.complete ## run the tests of the plugin with the oldest pytest that it takes
	@.pytest8/bin/python -m pytest tests/plugin $(PYTEST_ARGS)
.pytest8/.complete: pyproject.toml $(WHEEL)
	@$(PYTHON) -m venv .pytest8
	@.pytest8/bin/python -m pip --disable-pip-version-check --quiet install $(PACKAGE) "pytest>=8.4,<9"
	@touch $@

check: $(VENV)/.nomos-check-tools ## formatting, lint, types, layers, and what the wheel holds
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(abspath $(BIN))/python
	$(BIN)/lint-imports
	$(BIN)/python tools/clauses_page.py --check
	$(BIN)/python tools/requirements_page.py --check
	$(BIN)/python tools/interface_page.py --check
	$(BIN)/pytest -q tests/packaging tests/typing

wheel: $(VENV)/.nomos-check-tools ## build the wheel and the sdist into dist/
	@rm -rf dist
	@$(BIN)/pyproject-build --outdir dist

bench: $(VENV)/.nomos-check-tools ## measure what the kit costs, as ratios in one run
	@$(BIN)/python tests/benchmarks --json benchmarks.json

kill-matrix: $(VENV)/.nomos-installed ## hold every mutant against the whole contract
	@$(BIN)/python tools/kill_matrix.py --json kill-matrix.json $(KILL_MATRIX_ARGS)

engine: ## start a Docker engine of one's own for the tests in .engine, unless one is reachable
	@tools/engine.sh start .engine

engine-stop: ## stop that engine and remove it
	@tools/engine.sh stop .engine

clauses-page: $(VENV)/.nomos-installed ## write docs/clauses.md anew
	@$(BIN)/python tools/clauses_page.py

interface-page: $(VENV)/.nomos-installed ## write pages, schemas and vectors of function interfaces anew
	@$(BIN)/python tools/interface_page.py

# The stubs come from an old generator on purpose (tools/generate_stubs.py); it lives in an environment of its own.
generator: .generator/.complete ## install the pinned generator of the stubs
.generator/.complete: tools/generate_stubs.py
	@$(PYTHON) -m venv .generator
	@.generator/bin/python -m pip --disable-pip-version-check --quiet install \
	  $$($(PYTHON) -c 'import sys; sys.path.insert(0, "tools"); from generate_stubs import PINNED; \
	  print(*(f"{name}=={version}" for name, version in PINNED.items()))')
	@touch $@

clean: ## remove what was built, the environments included
	rm -rf $(VENV) .generator .pytest8 dist build nomos-report kill-matrix.json benchmarks.json .coverage .coverage.*
