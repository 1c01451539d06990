# Everything runs from .venv, which is made on first use from constraints.txt.
PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo up test faults fuzz load lint audit bench parity accuracy gpu-check docs site web clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F':.*## ' '/^[a-z.-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.venv: .venv/.installed ## the environment: Python 3.11 or newer, every version from constraints.txt

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "python3 cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/.installed app/site/index.html ## train two networks on a service of their own, use their weights without it
	@$(BIN)/python examples/demo.py $(ARGS)

up: .venv/.installed app/site/index.html ## serve on this machine until Ctrl-C
	@$(BIN)/graftwerk up $(ARGS)

FULL_TESTS := tests/workers/training/test_resume.py tests/workers/training/test_process_kill.py \
	tests/graftwerk/tracing/test_corpus.py tests/app/api/test_extremes.py tests/acceptance/test_broker_messages.py \
	tests/faults/power/test_programs.py tests/faults/s3/test_store.py tests/faults/test_clocks.py \
	tests/workers/network/kinds/test_backbones.py tests/workers/training/test_images.py \
	tests/workers/host/test_attempt_limits.py tests/workers/children/test_inspect_anything.py \
	tests/graftwerk/checks/test_imports.py

# The slow files come first (tests/conftest.py). Compiled modules are kept: every service under test imports them again.
test: .venv/.installed ## the tests; ARGS="-k name" for some, WORKERS=4 for more at once
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=10 $(ARGS)

faults: .venv/.installed ## kill, stop and starve it, for hours; ARGS="--backend postgresql kills=50" for some
	@$(if $(ARGS),,FULL=1 $(BIN)/pytest -q $(FULL_TESTS))
	@$(BIN)/python -m tests.faults $(ARGS)

fuzz: .venv/.installed ## twenty times as many generated requests as in `make test`
	@FUZZ=20 $(BIN)/pytest tests/app/api/test_fuzz.py tests/app/api/test_stateful.py $(ARGS)

load: .venv/.installed ## a thousand streams, waits and requests while jobs train; ARGS="--streams 100 --seconds 60" for less
	@$(BIN)/python benchmarks/load.py $(ARGS)

lint: .venv/.installed ## style, types, import contracts, dependencies and what is known against them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python .ci/audit.py

audit: .venv/.installed ## known vulnerabilities in the pinned versions; fails where they cannot be looked up
	$(BIN)/python .ci/audit.py --required

# Peers live in environments of their own: make bench LIGHTNING=DIR/bin/python MLFLOW=DIR/bin/python TENSORBOARD=DIR/bin/python SB3=DIR/bin/python
bench: .venv/.installed ## the measurements behind the README's numbers
	@$(BIN)/python benchmarks/statistics_cost.py
	@$(BIN)/python benchmarks/step_overhead.py $(if $(LIGHTNING),--lightning-python $(LIGHTNING))
	@$(BIN)/python benchmarks/start_latency.py
	@$(BIN)/python benchmarks/api_latency.py $(if $(MLFLOW),--mlflow-python $(MLFLOW))
	@$(BIN)/python benchmarks/claim_latency.py
	@$(BIN)/python benchmarks/list_latency.py
	@$(BIN)/python benchmarks/stream_load.py
	@$(BIN)/python benchmarks/small_jobs.py
	@$(BIN)/python benchmarks/unfriendly_clients.py
	@$(BIN)/python benchmarks/tree_batching.py
	@$(BIN)/python benchmarks/memory_estimate.py
	@$(BIN)/python benchmarks/checkpoint_stall.py
	@$(BIN)/python benchmarks/recovery.py
	@$(BIN)/python benchmarks/sequence_lengths.py
	@$(BIN)/python benchmarks/surgery.py
	@$(BIN)/python benchmarks/reinforcement.py $(if $(SB3),--sb3-python $(SB3))
	@$(BIN)/python benchmarks/dashboard.py $(if $(MLFLOW),--mlflow-python $(MLFLOW)) $(if $(TENSORBOARD),--tensorboard-python $(TENSORBOARD))
	@$(BIN)/python benchmarks/table.py

parity: .venv/.installed ## the kinds of networks beside torch's own samples of its modules, bit by bit
	@$(BIN)/python benchmarks/torch_parity.py $(ARGS)

accuracy: .venv/.installed ## what the examples reach on real data, beside simpler ways; ARGS="tweets-gru" for some
	@$(if $(filter rl/%,$(ARGS)),,$(BIN)/python -m examples.accuracy $(ARGS))
	@$(if $(and $(ARGS),$(if $(filter rl/%,$(ARGS)),,no)),,$(BIN)/python -m examples.returns $(ARGS))
	@$(if $(ARGS),,$(BIN)/python -m examples.live_edits)
	@$(if $(ARGS),,$(BIN)/python -m examples.transfer)
	@$(if $(ARGS),,$(BIN)/python -m examples.adversarial)
	@$(if $(ARGS),,$(BIN)/python -m examples.tables)

gpu-check: .venv/.installed ## what only a machine with a GPU can show
	@$(BIN)/python benchmarks/gpu_check.py $(ARGS)
	@$(BIN)/python benchmarks/step_overhead.py --device cuda
	@$(BIN)/python benchmarks/tree_batching.py --device cuda --sizes 1024
	@$(BIN)/python benchmarks/table.py

web: web/node_modules/.package-lock.json ## build the dashboard into app/web, which is committed; needs Node 20.19 or newer, as nothing else does
	@cd web && npm run --silent types && npm test --silent && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@cd web && npm ci --no-audit --no-fund

# The documentation as the service shows it at /docs: made anew when a page, a picture or a linked file is newer.
SITE_SOURCES := $(shell find docs examples -type f -not -path '*/__pycache__/*') benchmarks/README.md \
	CHANGELOG.md CONTRIBUTING.md SECURITY.md web/src/ui/styles/tokens.css web/public/icon.svg

site: app/site/index.html ## the documentation as a static site in app/site

app/site/index.html: .venv/.installed $(SITE_SOURCES)
	@$(BIN)/python -m docs.website

docs: .venv/.installed ## write openapi.json and the generated parts of the documentation anew
	@$(BIN)/python docs/generate.py

clean: ## remove the environment and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist app/site *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
