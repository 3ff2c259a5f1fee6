# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11+, make and git.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MLFORGE := $(BIN)/mlforge
TORCH := torch==2.13.0
UNSEEN := docs/tutorials/unseen

# Tests write and sync thousands of small files: where there is room in memory, no disk is waited for.
SCRATCH := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')
PYTEST := $(if $(SCRATCH),TMPDIR=$(SCRATCH) )$(BIN)/python -m pytest -q -n auto --dist worksteal

# Where a machine forbids bytecode, each process that a test starts would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test neural check format lint types layers docs bench campaign clean

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## an environment in .venv, with uv where it is there

$(READY): pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python '>=3.11,<3.14' $(VENV) && \
		uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[dev,embed,heic,parquet]'; \
	else \
		for python in python3 python3.13 python3.12 python3.11; do \
			$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break; \
			python=; \
		done; \
		test -n "$$python" || { echo 'Python 3.11, 3.12 or 3.13 is needed, and none was found.' >&2; exit 1; }; \
		$$python -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,embed,heic,parquet]'; \
	fi
	@touch $@

demo: $(READY)  ## the main job on the examples in categories/
	$(MLFORGE) categories list
	$(MLFORGE) run
	$(MLFORGE) predict $(UNSEEN)/turn_left.jpg
	@printf '\nNext: $(MLFORGE) predict YOUR.jpg, or read docs/tutorials/first-classifier.md\n'

test: $(READY)  ## all tests
	$(PYTEST)

neural: $(READY)  ## PyTorch beside the rest, and the tests that need it
	@$(BIN)/python -c 'import torch' 2>/dev/null || { \
		{ $(BIN)/python -m pip --version || $(BIN)/python -m ensurepip; } >/dev/null && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'; }
	$(PYTEST) -m neural

format: $(READY)  ## rewrite the code in the common format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: $(READY)  ## format and lint, without changing anything
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

layers: $(READY)  ## who may import whom
	$(BIN)/lint-imports

docs: $(READY)  ## the generated pages are up to date
	$(BIN)/python docs/generate_reference.py --check
	$(BIN)/python docs/draw_techniques.py --check

check: lint types layers docs test  ## everything that must hold

bench: $(READY)  ## the benchmarks, as ratios
	$(BIN)/python -m benchmarks

campaign: $(READY)  ## kills, broken disks, hostile files: every figure at full size, about an hour
	$(BIN)/python -m campaign

clean:  ## remove what the commands above made
	rm -rf $(VENV) artifacts/models artifacts/cache categories/*/samples mlforge.lock
