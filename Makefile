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

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

environment: ## Install missing packages and the Python environment (.venv)
	@$(PYTHON) -m lab.bootstrap

up: environment ## Start the lab and deploy the stack to it (CONFIG="key=value ...", NAME=)
	@$(LAB) up $(WHICH) $(SETTINGS)

call: ## Call the application through the ingress gateway (NAME=)
	@$(LAB) call $(WHICH)

report: ## Show the window counts of the consumer (NAME=, FOLLOW=1)
	@$(LAB) report $(WHICH) $(if $(FOLLOW),--follow)

logs: ## Show the log of a service (SERVICE=customer, NAME=, FOLLOW=1)
	@$(LAB) logs $(SERVICE) $(WHICH) $(if $(FOLLOW),--follow)

trace: ## Show the last trace as a tree (NAME=, TRACE=)
	@$(LAB) trace $(TRACE) $(WHICH)

verify: ## Check that the lab allows every declared connection and no other (NAME=, ONLY="network tls", JSON=1)
	@$(LAB) verify $(WHICH) $(foreach part,$(ONLY),--only $(part)) $(if $(JSON),--json)

rotate: ## Give a Kafka user a new password (USER=customer-writer, NAME=)
	@$(LAB) rotate $(USER) $(WHICH)

example: environment ## Run an example or another Pulumi program on the lab (EXAMPLE=own-service or a folder, NAME=, DESTROY=1)
	@$(LAB) example $(EXAMPLE) $(WHICH) $(if $(DESTROY),--destroy) $(SETTINGS)

watch: ## Serve a page with the call graph, live counts and window counts (NAME=)
	@$(LAB) watch $(WHICH)

preview: environment ## Preview the changes of make up (CONFIG=, NAME=)
	@$(LAB) preview $(WHICH) $(SETTINGS)

preview-pr: environment ## Print the changes of the working tree to each stack, as Markdown (BASE=main)
	@.venv/bin/python -m tools.ci.preview --against $(BASE)

refresh: environment ## Read the cluster into the stack's state (NAME=)
	@$(LAB) refresh $(WHICH)

pulumi: environment ## Run the Pulumi CLI in the lab's workspace (ARGS="stack export", NAME=)
	@$(LAB) pulumi $(WHICH) $(ARGS)

env: ## Print the variables for kubectl and pulumi: eval "$(make env)" (NAME=)
	@$(LAB) env $(WHICH)

down: environment ## Destroy the stack, stop the lab and delete its files (NAME=)
	@$(LAB) down $(WHICH)

status: ## Show processes, pods and addresses (NAME=)
	@$(LAB) status $(WHICH)

image: environment ## Build the image of the services with docker or podman (IMAGE=registry/name:tag, PUSH=1)
	@.venv/bin/python -m services.image $(if $(IMAGE),--image $(IMAGE)) $(if $(PUSH),--push)

# Each program is a module named __main__, so mypy checks them one at a time.
lint: environment ## Check style, types, layers and prose
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	ls __main__.py plugin/__main__.py examples/*/__main__.py | xargs -n 1 .venv/bin/mypy
	PYTHONPATH=policy_pack .venv/bin/lint-imports
	.venv/bin/python -m tools.documentation.prose

docs: environment ## Generate diagrams, references, Pulumi.yaml and schemas
	@.venv/bin/python -m tools.documentation

diagram: docs ## Same as docs

bench: environment ## Run the benchmarks
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
