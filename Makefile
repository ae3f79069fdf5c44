# The commands of a developer. `make help` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The locks are complete. Without --no-deps, pip may select a release that has no hash in them.
PIP := $(BIN)/python -m pip --disable-pip-version-check
NPM := npm --no-update-notifier --no-audit --no-fund --loglevel=error --fetch-retry-maxtimeout=10000
FETCH := sh $(CURDIR)/deploy/fetch.sh
ALONE := sh deploy/alone.sh
ARGS ?=
RUNS ?= 1
# Without cached bytecode, every process would compile our modules when it starts.
unexport PYTHONDONTWRITEBYTECODE

NODE_STAMP := $(VENV)/.stamp-node
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
MONGOD_STAMP := $(VENV)/.stamp-mongod
PAGE := frontend-demo
PAGE_STAMP := $(PAGE)/node_modules/.stamp
PAGE_SOURCES := $(shell find $(PAGE)/src $(PAGE)/client/src $(PAGE)/*.* -type f -not -name generated.ts)
NODE_TESTS_STAMP := tests/node/node_modules/.stamp
PEERS := $(VENV)/peers
PEERS_STAMP := $(PEERS)/.stamp
OBAN_PEER_STAMP := $(PEERS)-oban/.stamp
OBAN_PYTHON ?= $(firstword $(foreach name,python3.14 python3.13 python3.12,$(shell $(name) -c 'print("$(name)")' 2>/dev/null)))
NODE_PEERS_STAMP := benchmarks/peers/node/node_modules/.stamp

say = @printf '$(if $(MAKE_TERMOUT),\033[1m▸ %s\033[0m,▸ %s)\n' "$(1)"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up: a step writes a stamp and is skipped until one of its inputs changes ---------------

$(BIN)/python:
	$(call say,Creating the virtual environment)
	@sh deploy/need.sh "command -v $(PYTHON)" python3
	@sh deploy/version.sh Python "$(PYTHON)" 3.11 \
		"Debian 12 and later include it; to use another one: make run PYTHON=/path/to/python3.12"
	@sh deploy/need.sh "$(PYTHON) -c 'import ensurepip, venv'" python3-venv
	$(PYTHON) -m venv $(VENV)

$(NODE_STAMP):
	@sh deploy/version.sh Node node 20.19 "Get it from https://nodejs.org, or run: nvm install 22"
	@sh deploy/version.sh npm npm 9.0 "Node from https://nodejs.org includes it; on Debian, install the package npm."
	@mkdir -p $(VENV) && touch $@

$(RUN_STAMP): deploy/requirements.lock pyproject.toml | $(BIN)/python
	$(call say,Installing the pinned dependencies)
	$(FETCH) PIP_INDEX_URL $(PIP) install --progress-bar on --no-deps --require-hashes --requirement deploy/requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): deploy/requirements-dev.lock $(RUN_STAMP)
	$(call say,Installing the pinned development tools)
	$(FETCH) PIP_INDEX_URL $(PIP) install --progress-bar on --no-deps --require-hashes --requirement deploy/requirements-dev.lock
	@touch $@

$(MONGOD_STAMP): $(RUN_STAMP)
	@sh deploy/need.sh "$(BIN)/python -m ostinato.jobs.embedded" libcurl4
	@touch $@

$(PAGE_STAMP): $(PAGE)/package.json $(PAGE)/package-lock.json | $(NODE_STAMP)
	$(call say,Installing the page's packages)
	cd $(PAGE) && $(FETCH) NPM_CONFIG_REGISTRY $(NPM) ci
	@touch $@

$(PAGE)/dist/.stamp: $(PAGE_STAMP) $(PAGE_SOURCES) schema/schema.graphql
	$(call say,Building the page and GraphiQL)
	cd $(PAGE) && $(NPM) run build
	@touch $@

$(NODE_TESTS_STAMP): tests/node/package.json tests/node/package-lock.json | $(NODE_STAMP)
	$(call say,Installing the Node clients for the tests)
	cd tests/node && $(FETCH) NPM_CONFIG_REGISTRY $(NPM) ci
	@touch $@

$(PEERS_STAMP): deploy/requirements-bench.lock | $(BIN)/python
	$(call say,Installing the Python peers for the benchmarks)
	$(BIN)/python -m venv $(PEERS)
	$(FETCH) PIP_INDEX_URL $(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes --requirement $<
	@touch $@

# Oban needs a newer Python than the others, which are measured with ours. Its row says so if it is missing.
$(OBAN_PEER_STAMP): deploy/requirements-bench.lock
	$(call say,Installing Oban for the benchmarks)
	@if [ -z "$(OBAN_PYTHON)" ]; then echo "Oban needs Python 3.12 or newer: make bench OBAN_PYTHON=/path/to/python3.12"; exit 0; fi; \
		$(OBAN_PYTHON) -m venv $(@D) && \
		$(FETCH) PIP_INDEX_URL $(@D)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes --requirement $< && \
		touch $@

$(NODE_PEERS_STAMP): benchmarks/peers/node/package.json benchmarks/peers/node/package-lock.json | $(NODE_STAMP)
	$(call say,Installing the Node peers for the benchmarks)
	cd benchmarks/peers/node && $(FETCH) NPM_CONFIG_REGISTRY $(NPM) ci
	@touch $@

.PHONY: ready-to-run ready-to-test
ready-to-run: $(NODE_STAMP) $(RUN_STAMP) $(MONGOD_STAMP) $(PAGE)/dist/.stamp
	@:
ready-to-test: $(NODE_STAMP) $(DEV_STAMP) $(MONGOD_STAMP) $(PAGE)/dist/.stamp $(NODE_TESTS_STAMP)
	@:

.PHONY: setup
setup: ## Install everything for development
	@$(ALONE) $(MAKE) ready-to-test

# --- targets --------------------------------------------------------------------------------

.PHONY: run
run: ## Start MongoDB, Valkey, the API and a worker; stop with Ctrl-C
	@$(ALONE) $(MAKE) ready-to-run
	@exec $(BIN)/ostinato dev $(ARGS)

.PHONY: demo
demo: $(RUN_STAMP) ## Run all five patterns against the running server
	@exec $(BIN)/python docs/examples/demo.py $(ARGS)

.PHONY: test
test: setup ## Run the tests (ARGS='-k name' selects some)
	@sh deploy/need.sh "command -v curl" curl
	$(call say,Testing the live page)
	cd $(PAGE) && $(NPM) test
	$(call say,Testing with real servers)
	$(BIN)/python -m pytest $(ARGS)

.PHONY: test-slow
test-slow: setup ## Run the tests that take long: the pages in a browser, small chaos runs, an installed wheel
	@sh deploy/need.sh "command -v chromium" chromium
	$(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: screenshots
screenshots: setup ## Take the screenshots of docs/screenshots, with the data of a shop
	@sh deploy/need.sh "command -v chromium" chromium
	OSTINATO_SCREENSHOTS=1 $(BIN)/python -m pytest -m slow -n0 -k screenshots tests/browser/test_every_page.py $(ARGS)

.PHONY: audit
audit: setup ## Try to read, stop or slow what belongs to others; print what was tried and what held
	$(BIN)/python -m pytest --audit -m audit $(ARGS)

.PHONY: coverage
coverage: setup ## Run the tests and report branch coverage
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

.PHONY: lint
lint: $(DEV_STAMP) ## Check style and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

.PHONY: types
types: $(DEV_STAMP) $(PAGE_STAMP) ## Check the types of Python and the live page
	$(BIN)/mypy
	cd $(PAGE) && $(NPM) run types

.PHONY: format
format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: check
check: lint types ## Run lint and types, as CI does before the tests

.PHONY: schema
schema: $(RUN_STAMP) ## Generate schema/schema.graphql from the code
	$(BIN)/python -m ostinato.schema.build > schema/schema.graphql.new
	@mv schema/schema.graphql.new schema/schema.graphql

.PHONY: dist
dist: $(DEV_STAMP) $(PAGE)/dist/.stamp ## Build the sdist, the wheel and the npm package into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	cd $(PAGE)/client && $(NPM) pack --pack-destination $(CURDIR)/dist

.PHONY: docs
docs: $(RUN_STAMP) ## Generate docs/configuration.md and docs/lifecycle.md from the code
	$(BIN)/python -m ostinato.jobs.settings_page > docs/configuration.md.new
	@mv docs/configuration.md.new docs/configuration.md
	$(BIN)/python -m ostinato.jobs.lifecycle_page > docs/lifecycle.md.new
	@mv docs/lifecycle.md.new docs/lifecycle.md

.PHONY: bench
bench: $(RUN_STAMP) $(MONGOD_STAMP) $(PEERS_STAMP) $(OBAN_PEER_STAMP) $(NODE_PEERS_STAMP) ## Compare with arq, BullMQ, PgQueuer and others (ARGS=--quick takes minutes)
	$(BIN)/python -m benchmarks.queue $(ARGS)

.PHONY: bench-live
bench-live: $(RUN_STAMP) $(MONGOD_STAMP) $(NODE_PEERS_STAMP) ## Compare subscriptions with Strawberry, graphql-ws, graphql-yoga and Starlette
	$(BIN)/python -m benchmarks.live $(ARGS)

.PHONY: bench-report
bench-report: $(PEERS_STAMP) ## Draw docs/benchmarks.svg and the table of targets from the results of both
	$(PEERS)/bin/python -m benchmarks.charts

.PHONY: chaos
chaos: $(RUN_STAMP) $(MONGOD_STAMP) ## Kill processes under load; check that nothing is lost or done twice (RUNS=3)
	$(BIN)/python -m benchmarks.chaos --runs $(RUNS) $(ARGS)

.PHONY: lock
lock: $(DEV_STAMP) ## Pin the newest allowed dependencies with hashes
	$(BIN)/python -m pip install --quiet uv
	sh deploy/lock.sh $(BIN)/uv

.PHONY: clean
clean: ## Remove build results and installed packages; keep the data in .ostinato
	rm -rf $(VENV) dist $(PAGE)/node_modules $(PAGE)/dist tests/node/node_modules *.egg-info
	rm -rf benchmarks/peers/node/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
