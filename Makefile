# Each command calls a script in tools/ that can be called by hand too. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
DEV := .venv/dev/bin/python
PLAY_MONTHS := .venv/metering/bin/python -W ignore services/metering/tests/play_months.py
MONTHS ?= 2
SHORT ?= 200
export ENGINE SERVICE EXAMPLES SEED DAYS FIRST_PORT STATE

.PHONY: help
help: ## List the commands
	@echo "Marketplane: what a SaaS seller runs between AWS Marketplace and their own product."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make the virtual environments and build the portal; quick when nothing changed
	@$(PYTHON) tools/setup

.PHONY: demo
demo: setup ## Watch two buyers be billed to the unit, through a killed worker (KILL=all, none, or names)
	@$(DEV) tools/demo.py $(if $(KILL),--kill $(KILL))

.PHONY: up
up: setup ## Run everything until Ctrl-C and print the addresses (FIRST_PORT=8100, STATE=.state/up)
	@$(DEV) tools/up

.PHONY: test
test: setup ## Run all checks and tests (PARTS="metering journeys" for some; ENGINE=dynamodb-local for Amazon's engine)
	@$(DEV) tools/test $(PARTS)

.PHONY: faults
faults: setup ## Let every step fail in every way, then bill made-up months full of faults (MONTHS=2 SHORT=200 DAYS=10; SEED=7 for one)
ifdef SEED
	@$(PLAY_MONTHS) --seed $(SEED)
else
	@$(MAKE) --no-print-directory --keep-going --jobs 2 faults-of-steps faults-of-months
endif

# Side by side: the processes of the first wait most of the time, and the second, which computes, gives way to them.
.PHONY: faults-of-steps faults-of-months
faults-of-steps:
	@FAULTS_DEEP=1 $(DEV) tools/test faults
faults-of-months:
	@exec nice $(PLAY_MONTHS) --defects --months $(MONTHS) --short $(SHORT)

.PHONY: lint
lint: setup ## Check style, types, imports, contracts, Dockerfiles and the portal
	@$(DEV) tools/lint

.PHONY: format
format: setup ## Let ruff mend and lay out all Python files
	@$(DEV) tools/lint --fix

.PHONY: contracts-deep
contracts-deep: setup ## Search for new requests that break a contract (SERVICE=metering for one service)
	@$(DEV) tools/contracts_deep.py

.PHONY: bench
bench: setup ## Print the measured claims, each as ratios from one run
	@.venv/metering/bin/python bench/body_validation.py
	@.venv/simulator/bin/python bench/simulator/run.py --only speed
	@for one in registration/run notifications/run metering/usage_in metering/single_events metering/write_units metering/calls metering/freshness; \
		do $(DEV) bench/$$one.py || missed=1; done; .venv/metering/bin/python bench/metering/fold.py || missed=1; exit $$missed

.PHONY: journeys-on-stacks
journeys-on-stacks: setup ## Play all journeys on the tables and queues of infrastructure/
	@JOURNEYS_ON=stacks $(DEV) tools/test journeys

.PHONY: conformance
conformance: setup ## Hold the local engine to what we lean on (ENGINE=dynamodb-local for Amazon's)
	@$(DEV) tools/test conformance

.PHONY: simulator-deep
simulator-deep: setup ## Drive the simulator and a model of AWS's billing rules side by side, ten thousand steps
	@SIMULATOR_DEEP=1 .venv/simulator/bin/python -m pytest simulator/tests/test_billing_model.py --quiet

.PHONY: notifications-deep
notifications-deep: setup ## Apply made-up lives' news in more than 20,000 orders, other ones each time (SEED=7)
	@NOTIFICATIONS_DEEP=1 .venv/notifications/bin/python -m pytest services/notifications/tests/test_lives_of_the_simulator.py --quiet -rP -o faulthandler_timeout=0

.PHONY: doctor
doctor: setup ## Look at all that the services of `make up` need, and say what is amiss and how to mend it
	@$(DEV) tools/doctor

.PHONY: settings
settings: setup ## Write docs/settings.md anew from the settings classes
	@$(DEV) -m tools.settings_page

.PHONY: metrics
metrics: setup ## Write docs/metrics.md anew from what the processes register
	@$(DEV) -m tools.metrics_page

.PHONY: authorisation
authorisation: setup ## Write docs/authorisation.md anew from the contracts
	@$(DEV) -m tools.authorisation_page

.PHONY: licences
licences: setup ## Write docs/licences.md anew: what ships, under which licence; fails on one that cannot be shipped
	@$(DEV) -m tools.licences_page

.PHONY: audit
audit: setup ## Ask PyPI's and npm's advisory services for known weaknesses of all that is locked
	@$(DEV) -m tools.audit

.PHONY: costs
costs: setup ## Write docs/costs.md anew: what AWS charges a month at three sizes
	@$(DEV) -m tools.costs_page

.PHONY: lock
lock: ## Compile the hashed requirements files from the direct dependencies
	@$(PYTHON) tools/lock

.PHONY: clean
clean: ## Remove what the commands above made: environments, state, caches
	@rm -rf .venv .state web/node_modules web/dist web/src/api/generated engine/dynamodb-local/node_modules .mypy_cache .ruff_cache .hypothesis
