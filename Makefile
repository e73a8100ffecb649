PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: help environment test

help: ## Say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): requirements.txt requirements-lab.txt requirements-dev.txt constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python {sys.version.split()[0]}: at least 3.11 is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -r requirements.txt -r requirements-lab.txt -r requirements-dev.txt -c constraints.txt
	touch $@

environment: $(STAMP) ## Make the Python environment in .venv

test: environment ## Run all tests
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m lab.binaries
	$(VENV)/bin/python -m pytest
