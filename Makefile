# One command each. Works on a fresh clone with make, bash and Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help setup console demo stack servers test postgresql lint bench chaos fuzz lock clean
SHELL := /bin/bash
PYTHON_IN := .venv/bin/python

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-8s %s\n", $$1, $$2 }'

setup:  ## an environment in .venv with all tools; PYTHON=... chooses the interpreter
	@PYTHON="$(PYTHON)" deploy/environment.sh dev

demo:  ## hub and simulated systems on this machine; options in DEMO="--minutes 1"
	@PYTHON="$(PYTHON)" deploy/environment.sh run
	@deploy/console.sh
	@$(PYTHON_IN) -m gateway demo $(DEMO)

stack:  ## gateways, workers, brokers and simulated systems on this machine; options in STACK="--for 30s"
	@PYTHON="$(PYTHON)" deploy/environment.sh run
	@deploy/console.sh
	@$(PYTHON_IN) -m gateway stack $(STACK)

console:  ## the municipal centre's console, served at /console/; needs Node 20.19 or newer
	@deploy/console.sh must

servers:  ## brokers, databases, SSH and map clients that tests start; installs them where it may
	@deploy/test-servers.sh

test: setup servers console  ## every check there is; with CI=true a skipped one fails
	@$(PYTHON_IN) tests/house/check.py

postgresql: setup  ## the storage and closed-loop suites on the server of URL=postgresql://..., or on BINARIES=/usr/lib/postgresql/15/bin
	@GRIDHUB_TEST_DATABASE_URL="$(URL)" GRIDHUB_TEST_BINARIES="$(BINARIES)" $(PYTHON_IN) -m pytest -q -n 2 --dist loadgroup \
		tests/storage tests/gateway/test_closed_loop.py tests/gateway/test_delivery.py tests/gateway/test_kept_promises.py

lint: setup  ## format, style, types, imports: no tests
	@$(PYTHON_IN) tests/house/check.py format style types imports

bench: setup servers  ## measure intake, HTTP out, reading, the storm filter, MQTT, the bus, assessment, clocks, reports, the cockpit, maps, the board and intake beside maps; options of intake in BENCH="--rounds 5"
	@$(PYTHON_IN) -m tests.bench.intake $(BENCH)
	@$(PYTHON_IN) -m tests.bench.outbound
	@$(PYTHON_IN) -m tests.bench.mapping
	@$(PYTHON_IN) -m tests.bench.storm
	@$(PYTHON_IN) -m tests.bench.mqtt
	@$(PYTHON_IN) -m tests.bench.bus
	@$(PYTHON_IN) -m tests.bench.assess --cases 100000
	@$(PYTHON_IN) -m tests.bench.clocks --clocks 100000
	@$(PYTHON_IN) -m tests.bench.cockpit --cases 100000 --open 6000
	@$(PYTHON_IN) -m tests.bench.paper
	@$(PYTHON_IN) -m tests.bench.maps
	@$(PYTHON_IN) -m tests.bench.topology
	@$(PYTHON_IN) -m tests.bench.live
	@$(PYTHON_IN) -m tests.bench.board --messages 100000
	@$(PYTHON_IN) -m tests.bench.beside

chaos: setup  ## the fault campaign: 100,000 cases, 200 faults, three seeds; options in CHAOS="--cases 5000 --seeds 7"
	@$(PYTHON_IN) -m tests.chaos $(CHAOS)

fuzz: setup  ## coverage-guided fuzzing of every reader; options in FUZZ="--seconds 60 --only shape-xml"
	@$(PYTHON_IN) -m pip install --quiet --no-deps --only-binary :all: --require-hashes -r requirements-fuzz.lock || true
	@$(PYTHON_IN) -m tests.fuzz $(FUZZ)

lock:  ## renew both lock files; needs uv
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-annotate \
		--upgrade --output-file requirements-dev.lock
	uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-annotate \
		--upgrade --constraint requirements-dev.lock --output-file requirements.lock
	echo "atheris==3.0.0" | uv pip compile - --universal --generate-hashes --no-emit-index-url --no-annotate \
		--output-file requirements-fuzz.lock

clean:  ## remove caches and built files; .venv and data stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
