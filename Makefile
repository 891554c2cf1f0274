# semjpeg: `make demo` shows it at work, `make test` proves it. Both set up everything they need in .venv.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PHOTOS ?=
OUT    ?= demo-out
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-browser test-ceph test-monitoring chaos chaos-short nasty check format lock clean

help: ## List what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv with everything that is locked

$(STAMP): locks/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "semjpeg needs Python 3.11: no $(PYTHON) on the PATH (PYTHON=/path/to/python3.11 names another)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "could not create $(VENV); on Debian: apt-get install python3-venv"; exit 2; }
	@echo "installing into $(VENV): about 1 GB to download, a minute or two …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "compiling the kernels …"
	@$(BIN)/python -c "import codec, models"
	@touch $@

demo: $(STAMP) ## Compress photographs through a real broker and S3 server (PHOTOS=folder OUT=folder)
	@$(BIN)/semjpeg demo $(if $(PHOTOS),"$(PHOTOS)") --out "$(OUT)"

test: $(STAMP) ## Run every test
	$(BIN)/pytest

test-browser: $(STAMP) ## Look at the report through a real Chromium (Debian: apt-get install chromium)
	$(BIN)/pytest tests/browser

test-ceph: $(STAMP) ## Run the integration tests against Ceph (Debian: apt-get install radosgw ceph-mon ceph-osd)
	$(BIN)/pytest tests/integration --store ceph

test-monitoring: $(STAMP) ## Ask a real Prometheus what the dashboard asks (Debian: apt-get install prometheus)
	$(BIN)/pytest tests/integration/prometheus --prometheus

chaos: $(STAMP) ## Break a whole system for minutes and see that nothing is lost (docs/chaos.md)
	$(BIN)/python tests/chaos/run.py --objects 1000 --minutes 6 --seed 1

chaos-short: $(STAMP) ## The same with fewer objects
	$(BIN)/pytest tests/chaos/test_chaos.py

nasty: $(STAMP) ## Damaged and odd pictures through a worker (DATA=folder)
	$(BIN)/python tests/chaos/nasty.py $(if $(DATA),--data "$(DATA)")

check: $(STAMP) ## Lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml
lock: $(STAMP) ## Resolve the dependencies anew (UPGRADE=1: to their newest versions)
	$(LOCK) $(if $(UPGRADE),--upgrade) -o locks/producer.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra worker -o locks/worker.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra gpu -o locks/gpu.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra benchmark --extra demo --extra report --extra tracing --extra train --group dev -o locks/dev.txt

clean: ## Remove the environment and what the tools left
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
