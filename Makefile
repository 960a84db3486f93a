# `make demo` and `make test` set up what they need: a virtual environment in .venv, and mmspec in it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2

.PHONY: demo test test-all lint bench clean

demo: $(READY)
	$(BIN)/mmspec run specs/colored_digits.toml --jobs $(JOBS)
	$(BIN)/mmspec report reports/colored_digits.toml

test: lint
	$(BIN)/python -m pytest -n logical

test-all: lint
	$(BIN)/python -m pytest -n logical -m ""

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) output
