# What people and CI run alike. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INSTALL_FAILED := { echo "error: the installation failed; pip's reason is above, 'make clean' starts afresh" >&2; exit 1; }

VENV_READY := $(VENV)/.ready-venv
DEMO_READY := $(VENV)/.ready-demo
DEV_READY := $(VENV)/.ready-dev
PINS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint bench notebooks reference docs screenshots format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: $(DEMO_READY) ## compare the coordinators on the published incident
	@$(BIN)/wavecheck compare incident || test $$? -eq 1  # 1: violations found, as expected

test: $(DEV_READY) ## run the tests; PYTEST_ARGS="-k name" narrows them
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(DEV_READY) ## check style, types and the one-way import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(DEV_READY) ## run the benchmarks and print their tables
	$(BIN)/python -m benchmarks

notebooks: $(DEV_READY) ## run the notebooks and keep copies with outputs, also as HTML
	$(BIN)/python notebooks/render.py

reference: $(DEV_READY) ## write docs/reference.md from the code
	$(BIN)/python docs/make_reference.py

docs: $(DEV_READY) ## build the documentation as a site, in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

screenshots: $(DEV_READY) ## take the pictures of pages, from real results
	$(BIN)/python docs/screenshots.py

format: $(DEV_READY) ## rewrite the code in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## remove the virtual environment, caches and build results
	rm -rf $(VENV) build dist site .coverage htmlcov .hypothesis
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Wavecheck needs Python 3.11 or newer, and '$(PYTHON)' is not: try 'make PYTHON=python3.12'" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(DEMO_READY): $(VENV_READY) $(PINS)
	@echo "installing Wavecheck into $(VENV)"
	@$(PIP_INSTALL) -e . || $(INSTALL_FAILED)
	@touch $@

# The tools for development include what the demo needs, hence both stamps.
$(DEV_READY): $(VENV_READY) $(PINS)
	@echo "installing Wavecheck and its development tools into $(VENV)"
	@$(PIP_INSTALL) -e ".[dev]" || $(INSTALL_FAILED)
	@touch $(DEMO_READY) $@
