PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint install clean

quickstart: .venv/installed
	$(BIN)/dqc run schedules/digits-quickstart.yml
	$(BIN)/dqc inspect runs/digits-quickstart/digits.dqc
	$(BIN)/dqc verify runs/digits-quickstart/digits.dqc

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv runs build *.egg-info
