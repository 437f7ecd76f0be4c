# Needs Python 3.11 and make, nothing else. `make demo` first; `make help` for the rest.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_HOME ?= .demo
CAMPAIGN_HOME ?= .campaign
UI_HOME ?= $(or $(RUTILE_HOME),.rutile)

.PHONY: help demo campaign test test-all lint ui bench format lock validator clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): deploy/requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "found no $(PYTHON); install Python 3.11 or say make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r deploy/requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

demo: $(READY) ## simulate a small campaign, ingest it, compute everything, show results beside the truth
	$(BIN)/rutile --home $(DEMO_HOME) demo --microscope --processes 2

campaign: $(READY) ## the same with all 21 samples of the paper, from cold
	$(BIN)/rutile --home $(CAMPAIGN_HOME) demo --films 21 --processes 2

test: $(READY) ## the default tests, under 12 minutes on two cores
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: $(READY) ## all tests, the long ones too
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY) ## ruff, mypy --strict, the import walls, SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint sql

format: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: $(READY) ## Dagster on 127.0.0.1:3000 with the daemon, the films' pages on :3001; RUTILE_HOME or UI_HOME names the home
	@mkdir -p $(UI_HOME)/dagster && cp dagster.yaml $(UI_HOME)/dagster/
	@trap 'kill $$pages 2>/dev/null' EXIT INT TERM; \
	$(BIN)/rutile --home $(UI_HOME) pages --serve --port $(or $(PAGES_PORT),3001) & pages=$$!; \
	RUTILE_PAGES=http://127.0.0.1:$(or $(PAGES_PORT),3001)/reports \
	  RUTILE_HOME=$(abspath $(UI_HOME)) DAGSTER_HOME=$(abspath $(UI_HOME))/dagster \
	  $(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $(or $(PORT),3000)

bench: $(READY) ## what is timed, against which peer; prints tables
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks

lock: $(READY) ## resolve the pinned set anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	echo "torch==2.13.0" | $(BIN)/uv pip compile pyproject.toml --extra dev --constraint - --no-header --no-annotate \
	  --python-version 3.11 --quiet | sed 's/^torch==\([0-9.]*\).*/torch==\1/' > deploy/requirements.lock

validator: ## the official RO-Crate and NeXus validators, in a venv apart: they want an older rich
	$(PYTHON) -m venv .venv-validator
	.venv-validator/bin/python -m pip install --quiet roc-validator rocrate==0.13.0 nexusformat

clean: ## remove the homes of demo and campaign
	rm -rf $(DEMO_HOME) $(CAMPAIGN_HOME)
