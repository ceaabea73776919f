# Every target needs nothing but make and Python >= 3.11; it sets up the rest in .venv.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: train test test-all test-faults docs setup

train: setup
	$(PY) scripts/train.py experiment=model_b $(ARGS)

# On all cores; to look into one test, call pytest itself.
PYTEST := $(PY) -m pytest -n auto --dist worksteal

# Lint, types and the fast tests.
test: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PYTEST) -m "not slow and not faults" $(ARGS)

# What `make test` leaves out, and the documents.
test-all: test docs
	$(PYTEST) -m slow $(ARGS)

# Kills, damaged files and the same command twice at once, for minutes; see docs/reliability.md. One after the other.
test-faults: setup
	$(PY) -m pytest -m faults tests $(ARGS)

# The documents' site, in build/site; a warning is an error.
docs: setup
	$(PY) -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs build/site

setup: .venv/ready

# Torch goes first and pinned: a resolver left to itself takes a build with gigabytes of CUDA.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; $(PYTHON) is %d.%d. Name one with: make $(MAKECMDGOALS) PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
