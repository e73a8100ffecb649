PYTHON ?= python3
NAME ?= lab
CONFIG ?=
SERVICE ?= customer
EXAMPLE ?= own-service
BASE ?= main

LAB := .venv/bin/python -m lab
WHICH = --name $(NAME)
SETTINGS = $(foreach setting,$(CONFIG),--config '$(setting)')

.PHONY: help environment up call report logs trace verify rotate example watch preview preview-pr refresh pulumi env down status image docs diagram lock lint test bench test-environment

help: ## Say what each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

environment: ## Install what this machine lacks, and make the Python environment in .venv
	@$(PYTHON) -m lab.bootstrap

up: environment ## Start the lab, and make in it what the program declares (CONFIG="key=value ...", NAME=)
	@$(LAB) up $(WHICH) $(SETTINGS)

call: ## Call the application once more (NAME=)
	@$(LAB) call $(WHICH)

report: ## Show what the consumer has counted (NAME=, FOLLOW=1)
	@$(LAB) report $(WHICH) $(if $(FOLLOW),--follow)

logs: ## Show what a service says (SERVICE=customer, NAME=, FOLLOW=1)
	@$(LAB) logs $(SERVICE) $(WHICH) $(if $(FOLLOW),--follow)

trace: ## Show the last trace as a tree (NAME=, TRACE=)
	@$(LAB) trace $(TRACE) $(WHICH)

verify: ## Prove that the lab allows what is declared and nothing else (NAME=, ONLY="network tls", JSON=1)
	@$(LAB) verify $(WHICH) $(foreach part,$(ONLY),--only $(part)) $(if $(JSON),--json)

rotate: ## Give a Kafka user a new password (USER=customer-writer, NAME=)
	@$(LAB) rotate $(USER) $(WHICH)

example: environment ## Run a program on the lab: an example, or one of yours (EXAMPLE=own-service or a folder, NAME=, DESTROY=1)
	@$(LAB) example $(EXAMPLE) $(WHICH) $(if $(DESTROY),--destroy) $(SETTINGS)

watch: ## Serve a page with the call graph, live counts and the report (NAME=)
	@$(LAB) watch $(WHICH)

preview: environment ## Show what up would change (CONFIG=, NAME=)
	@$(LAB) preview $(WHICH) $(SETTINGS)

preview-pr: environment ## Show as Markdown what the working tree changes in each stack that it touches (BASE=main)
	@.venv/bin/python -m tools.ci.preview --against $(BASE)

refresh: environment ## Make the stack's state say what is in the cluster (NAME=)
	@$(LAB) refresh $(WHICH)

pulumi: environment ## Run the Pulumi CLI in the lab's workspace (ARGS="stack export", NAME=)
	@$(LAB) pulumi $(WHICH) $(ARGS)

env: ## Print the variables for kubectl and pulumi: eval "$(make env)" (NAME=)
	@$(LAB) env $(WHICH)

down: environment ## Destroy what up made, stop the lab, remove all of it (NAME=)
	@$(LAB) down $(WHICH)

status: ## Show what runs, what is ready, and where (NAME=)
	@$(LAB) status $(WHICH)

image: environment ## Build the image of the services with docker or podman (IMAGE=registry/name:tag, PUSH=1)
	@.venv/bin/python -m services.image $(if $(IMAGE),--image $(IMAGE)) $(if $(PUSH),--push)

# The programs are all called __main__, so that each is a run of mypy's own.
lint: environment ## Check style, types and the layers of the architecture
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	ls __main__.py plugin/__main__.py examples/*/__main__.py | xargs -n 1 .venv/bin/mypy
	PYTHONPATH=policy_pack .venv/bin/lint-imports

docs: environment ## Write what is generated anew: diagrams, the references of settings and components, the schema
	@.venv/bin/python -m tools.documentation

diagram: docs ## The same, for whoever looks for the diagrams

bench: environment ## Measure the engine, the report and the chain of services
	.venv/bin/python -m tools.benchmarks

# The policy SDK needs an older protobuf than the program.
policy_pack/.venv: policy_pack/requirements.txt
	@.venv/bin/uv venv --quiet --clear --seed --python $(PYTHON) $@
	@.venv/bin/uv pip install --quiet --python $@ -r $<

lock: ## Update uv.lock and the requirements files exported from it
	@.venv/bin/uv lock
	@.venv/bin/uv export --quiet --frozen --no-default-groups --no-emit-project --no-hashes --no-annotate --output-file requirements.txt
	@.venv/bin/uv export --quiet --frozen --only-group services --no-annotate --output-file services/requirements.lock

test-environment:
	@$(PYTHON) -m lab.bootstrap --tests

test: test-environment lint policy_pack/.venv ## Run all tests
	.venv/bin/python -m pytest -m "not lab"
	.venv/bin/python -m lab.binaries
	.venv/bin/python -m lab.charts
	.venv/bin/python -m pytest -m lab
