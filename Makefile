# One virtual environment serves every target; it is made again when the pinned versions change. PYTHON=python3.12 has one of its own.
ifdef PYTHON
VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
VENV ?= .venv-$(VERSION)
else
PYTHON = python3
VENV ?= .venv
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(VENV)/tools/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --allow-unsafe --no-header --annotation-style line --constraint constraints.txt
CONFIG ?= config/service.json
DB_CONFIG ?= config/db_config.json
ROUNDS ?= 200
SEEDS ?= 100000
SECONDS ?= 300
FROM ?= 0
TRACE ?=
WORKERS ?= 3
PYTEST_ARGS ?=
BOTS_ARGS ?=

.PHONY: run test coverage synapse lint bench bench-bots crash restores channels simulate outbox shared servers chaos lock audit clean

run: $(VENV)/.runtime
	@exec $(BIN)/python service.py --config $(CONFIG) --db-config $(DB_CONFIG)

test: $(VENV)/.test $(VENV)/.synapse
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

coverage: PYTEST_ARGS += --cov --cov-report=term
coverage: test

synapse: $(VENV)/.synapse

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/deptry . --extend-exclude '^(tests|benchmarks|docs|examples)/'
	$(BIN)/deptry . --exclude '\.venv|build|tests/mooring/sdk/bots' --ignore DEP002,DEP004

crash: $(VENV)/.test
	MOORING_CRASH_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest --timeout 0 tests/crash

restores: $(VENV)/.test
	MOORING_RESTORE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest --timeout 0 tests/storage/json/test_restoring.py

channels: $(VENV)/.test
	MOORING_CHANNEL_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest --timeout 0 -s tests/crash/test_made_channels.py

simulate: $(VENV)/.test
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) $(if $(TRACE),--trace)

outbox: $(VENV)/.test
	MOORING_OUTBOX_MESSAGES=500 MOORING_OUTBOX_KILLS=50 MOORING_OUTBOX_SHARED_MESSAGES=1000 MOORING_OUTBOX_SHARED_KILLS=20 MOORING_OUTBOX_MOVES=1000 $(BIN)/python -m pytest --timeout 0 tests/outbox

shared: $(VENV)/.test
	MOORING_SHARED_COMMANDS=20000 MOORING_SHARED_MEMBERS=100 MOORING_SHARED_CHANNELS=10 MOORING_SHARED_PROCESSES=4 MOORING_SHARED_TROUBLES=24 $(BIN)/python -m pytest --timeout 0 -s tests/shared/test_many_processes.py tests/shared/test_lost_commits.py tests/shared/test_lost_nodes.py

servers: $(VENV)/.test
	for kind in valkey redis; do MOORING_REDIS_KIND=$$kind $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m redis || exit 1; done

chaos: $(VENV)/.test
	MOORING_CHAOS_SECONDS=$(SECONDS) $(BIN)/python -m pytest --timeout 0 -s tests/chaos

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.storage
	$(BIN)/python -m benchmarks.redis
	$(BIN)/python -m benchmarks.torbox
	$(BIN)/python -m benchmarks.events
	$(BIN)/python -m benchmarks.channels
	$(BIN)/python -m benchmarks.gateway
	$(BIN)/python -m benchmarks.gateway_hostile

bench-bots: $(VENV)/.bots
	$(BIN)/python -m benchmarks.bots $(BOTS_ARGS)

lock: $(VENV)/.tools
	for set in run:redis test:redis,matrix,test; do $(LOCK) $$(printf -- '--extra %s ' $$(echo $${set#*:} | tr , ' ')) --build-deps-for editable --output-file requirements/$${set%%:*}.txt pyproject.toml || exit 1; done
	echo uvloop | $(LOCK) --output-file requirements/fast.txt -
	echo matrix-synapse | $(LOCK) --output-file requirements/synapse.txt -

audit: $(VENV)/.tools
	$(VENV)/tools/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements/run.txt

clean:
	rm -rf .venv .venv-* $(VENV) build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.runtime: pyproject.toml constraints.txt requirements/run.txt requirements/fast.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mooring needs Python 3.11 or later; say which with make PYTHON=python3.12 ..."; exit 1; }
	@echo "Preparing $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --requirement requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(PIP) --require-hashes --requirement requirements/fast.txt 2>/dev/null || echo "uvloop does not install here; asyncio's own loop serves as well."
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt
	@$(PIP) --require-hashes --requirement requirements/test.txt
	@touch $@

# In an environment of its own: the tests talk to it, and nothing imports it.
$(VENV)/.synapse: $(VENV)/.runtime requirements/synapse.txt
	@$(PYTHON) -m venv $(VENV)/synapse
	@$(VENV)/synapse/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/synapse.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@$(PIP) --constraint constraints.txt --editable '.[redis,test,bench]'
	@touch $@

$(VENV)/.bots: $(VENV)/.test
	@$(PIP) --constraint constraints.txt --editable '.[redis,test,bots]'
	@touch $@

$(VENV)/.tools: $(VENV)/.runtime
	@$(PYTHON) -m venv $(VENV)/tools
	@$(VENV)/tools/bin/python -m pip install --quiet --disable-pip-version-check pip-audit pip-tools
	@touch $@
