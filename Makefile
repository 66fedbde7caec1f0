# The only list of commands. `make` alone shows it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Empty files that say what is installed, and since when.
RUN_INSTALLED := $(VENV)/.installed-run
DEV_INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.installed-bench
# Targets that only look or stop need any installation, not the newest: they must not ask the network for an update.
ANY_INSTALLED := $(if $(wildcard $(RUN_INSTALLED)),,$(RUN_INSTALLED))
# An environment works with the interpreter that it was made with alone: another one makes it anew.
PYTHON_IDENTITY := import sys; print(sys.base_prefix, sys.version)
PACKAGES := contracts chassis command-service query-service web
# Unit tests run as one process for each package, which imports that package alone. Workers that share all tests would
# each import everything.
UNIT := $(sort $(wildcard contracts/tests $(PACKAGES:%=%/tests/unit) tests/*/unit))
PARALLEL = $(MAKE) --no-print-directory -k $(if $(filter output-sync,$(.FEATURES)),-O)
TESTS ?= $(wildcard $(PACKAGES:%=%/tests) tests)
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
# Most tests wait for servers, so a small machine runs more than twice as many workers as it has cores.
TEST_WORKERS := $(shell [ $(CORES) -lt 4 ] && expr 2 \* $(CORES) + 1 || echo $(CORES))

LOCK_TOOLS := .lock-tools
COMPILE = "$(CURDIR)/$(LOCK_TOOLS)/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes \
          --no-emit-package notes-contracts --no-emit-package notes-chassis --no-header

# With this variable Python keeps no compiled files: every process would compile all sources again, and pytest would
# rewrite every test again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up token down status logs demo import test pictures bench bench-quick soak unit fuzz examples alone generated api gate check release-contracts chassis-version lint types format lock audit jars clean

help: ## Show this list
	@awk -F ':.*## ' '/^##@ / {print substr($$0, 5) ":"} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run

install: $(DEV_INSTALLED) ## Create .venv and put everything that is pinned into it (other targets do what they need)

$(RUN_INSTALLED): requirements-run.txt $(PACKAGES:%=%/pyproject.toml)
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) comes without its venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@[ "$$($(PYTHON) -c '$(PYTHON_IDENTITY)')" = "$$($(BIN)/python -c '$(PYTHON_IDENTITY)' 2>/dev/null)" ] || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python tools/install.py requirements-run.txt "what running needs"
	@echo "Installing the packages of this checkout ..."
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

$(DEV_INSTALLED): $(RUN_INSTALLED) requirements-dev.txt
	@$(BIN)/python tools/install.py requirements-dev.txt "what tests and checks need"
	@touch $@

up: $(RUN_INSTALLED) ## Start Kafka, PostgreSQL, MongoDB, both services and the page, and keep them running (BACKEND=docker|native, AUTH=none|oidc)
	@$(BIN)/python -m tools.stack up

token: $(RUN_INSTALLED) ## Print a token for what `make up AUTH=oidc` started (SCOPE="notes.read notes.write")
	@if [ -f .stack/env ]; then . ./.stack/env; fi; \
	  NOTES_OIDC_ISSUER="$$NOTES_OIDC_ISSUER" $(BIN)/python -m tools.issuer token $(if $(SCOPE),--scope "$(SCOPE)")

down: $(ANY_INSTALLED) ## Stop what `make up` started; the data stay (PURGE=1 removes them). Also what demo, soak and bench left
	@$(BIN)/python -m tools.stack down $(if $(PURGE),--purge)

status: $(ANY_INSTALLED) ## What runs, where, since when, and whether it is healthy
	@$(BIN)/python -m tools.stack status

logs: $(ANY_INSTALLED) ## The last lines of every log (SERVICE=name for one, FOLLOW=1 to stay)
	@$(BIN)/python -m tools.stack logs $(SERVICE) $(if $(FOLLOW),-f)

demo: $(RUN_INSTALLED) ## From nothing to notes that can be read, and back to nothing (KEEP=1: it stays, to look at its page)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

import: $(RUN_INSTALLED) ## Bring a folder of Markdown files in as notes: make import DIR=path
	@test -n "$(DIR)" || { echo "Which folder? make import DIR=path/to/markdown"; exit 2; }
	@$(BIN)/python tools/import_markdown "$(DIR)"

clean: ## Stop the servers; remove data, .venv, caches. What an import knows of its folder, .notes-import.json, stays there
	@if [ -f $(RUN_INSTALLED) ]; then $(BIN)/python -m tools.stack down --purge; \
	  elif [ -n "$(wildcard .stack/state.json .stack/run/*.json .stack/*/run/*.json)" ]; then \
	    echo "What was started may still run, and what stops it is not installed: make install, then make clean"; exit 1; fi
	@rm -rf $(VENV) $(LOCK_TOOLS) .promtool .stack .bench .coverage dist build *.egg-info */dist */build */src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .grimp_cache .import_linter_cache
	@rm -rf examples/.built examples/go/upstream examples/java/target examples/python/.venv examples/typescript/node_modules examples/typescript/out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Test

test: install ## All tests, on real servers (TESTS=path for some, WORKERS=n)
	@$(BIN)/python -c 'from tests.web.browser import chromium; chromium() or print("No Chromium was found: the tests of the page in a browser (tests/web) are left out.")'
	@$(BIN)/python -m pytest -n $(or $(WORKERS),$(TEST_WORKERS)) --dist worksteal $(TESTS)

unit: install ## The tests that need no server
	@$(PARALLEL) -j $(or $(WORKERS),$(TEST_WORKERS)) $(UNIT:%=unit/%)

unit/%:
	@echo "$*" && $(BIN)/python -m pytest -q -p no:xdist -p no:cacheprovider $*

check: install ## What needs no test: lint, types and gate
	@$(PARALLEL) -j 3 lint types gate

lint: install ## Style, formatting, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command as run; run()' --no-cache

types: install ## Strict types
	@$(BIN)/python -m mypy $(PACKAGES:%=%/src) tools tests/servers

format: install ## Put the code into the house's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only -q .

pictures: install ## What the page looks like in its main states: docs/web
	@PICTURES="$(CURDIR)/docs/web" $(BIN)/python -m pytest -q -p no:xdist $(filter-out %race.py %speed.py,$(wildcard tests/web/test_*.py))

fuzz: install ## Hold both services against their OpenAPI documents, on real servers (SECONDS=n each, 120)
	@FUZZ_SECONDS=$(or $(SECONDS),120) $(BIN)/python -m pytest -q -s -p no:xdist --timeout 600 tests/api/test_fuzz.py

examples: install ## The upstreams of examples/ in Java, Go, TypeScript and Python, on real servers, where installed
	@$(BIN)/python -m pytest -q -n $(or $(WORKERS),$(TEST_WORKERS)) tests/examples

alone: install ## Build, install and test each side from its wheel, without the other side, in a new environment
	@ALONE=1 $(BIN)/python -m pytest -q -s -p no:xdist tests/contract/test_alone.py

soak: install ## A million commands through the whole pair, a process of each kind killed every 20 s (COMMANDS=n)
	@$(BIN)/python -m tools.soak --commands $(or $(COMMANDS),1000000)

bench: $(BENCH_INSTALLED) ## Measure everything, in about 20 minutes: .bench/latest.json, a table, plots (ONLY=key for one)
	@$(BIN)/python -m tools.bench $(if $(ONLY),--only $(ONLY))

bench-quick: $(BENCH_INSTALLED) ## The same in 3 minutes: one short round of each, to see that it works
	@$(BIN)/python -m tools.bench --quick $(if $(ONLY),--only $(ONLY))

$(BENCH_INSTALLED): $(DEV_INSTALLED) requirements-bench.txt
	@$(BIN)/python tools/install.py requirements-bench.txt "what draws the plots"
	@touch $@

##@ Release

# What it replaces: python -m notes_contracts.schemas contracts/schemas (the messages' JSON schemas),
# query-service/tests/query_support/golden.py (golden documents of new read models, versions and events),
# make api, make chassis-version.
generated: install ## Write everything anew that is made of the code: schemas, golden documents, api, chassis-version
	@$(BIN)/python -m notes_contracts.schemas contracts/schemas
	@$(BIN)/python query-service/tests/query_support/golden.py
	@$(BIN)/python -m tools.api_files
	@$(BIN)/python -m tools.chassis_version

api: install ## Write the descriptions of both APIs anew: docs/api
	@$(BIN)/python -m tools.api_files

chassis-version: install ## Write down which code the chassis' version stands for, after it was raised
	@$(BIN)/python -m tools.chassis_version

gate: install ## Compare messages, topics and HTTP with every release of the contracts: who would be broken?
	@$(BIN)/python -m tools.contract_gate check

release-contracts: install ## Keep the contracts of this checkout for ever, as the version that contracts/pyproject.toml states
	@$(BIN)/python -m tools.contract_gate release

lock: $(LOCK_TOOLS)/bin/uv ## Pin the dependencies anew, with hashes
	cd command-service && $(COMPILE) pyproject.toml -o requirements.txt
	cd query-service && $(COMPILE) pyproject.toml -o requirements.txt
	cd web && $(COMPILE) pyproject.toml -c ../query-service/requirements.txt -o requirements.txt
	$(COMPILE) requirements-run.in command-service/pyproject.toml query-service/pyproject.toml web/pyproject.toml \
	  -c command-service/requirements.txt -c query-service/requirements.txt -o requirements-run.txt
	$(COMPILE) requirements-dev.in command-service/pyproject.toml query-service/pyproject.toml web/pyproject.toml \
	  -c requirements-run.txt -o requirements-dev.txt
	$(COMPILE) requirements-bench.in -c requirements-dev.txt -o requirements-bench.txt
	echo 'hatchling>=1.27' | $(COMPILE) - -c requirements-dev.txt -o requirements-build.txt
	$(COMPILE) examples/python/requirements.in -o examples/python/requirements.txt

jars: install ## Pin Kafka's jars anew, with hashes
	$(BIN)/python -m tools.stack.kafka_jars

audit: $(LOCK_TOOLS)/bin/pip-audit ## Compare everything that is pinned with the published advisories (asks the internet)
	@for file in requirements-*.txt */requirements.txt; do echo "$$file"; \
	  $(LOCK_TOOLS)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r "$$file" || exit 1; done

$(LOCK_TOOLS)/bin/pip-audit:
	@$(PYTHON) -m venv $(LOCK_TOOLS)
	@$(LOCK_TOOLS)/bin/python -m pip install --disable-pip-version-check -q pip-audit

$(LOCK_TOOLS)/bin/uv:
	@$(PYTHON) -m venv $(LOCK_TOOLS)
	@$(LOCK_TOOLS)/bin/python -m pip install --disable-pip-version-check -q uv
