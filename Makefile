# Every target sets up the virtual environment first, if needed. `make` alone lists them.
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.synced

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-fast check mutants format docs messages screenshots bench

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml uv.lock
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv sync --quiet --locked
	@touch $@

setup: $(STAMP)  ## the virtual environment .venv, exact versions

demo: $(STAMP)  ## both imports on real files against embedded parts; says what happened
	@$(BIN)/curavani demo --once

serve: $(STAMP)  ## the same stack left running, with both services and their consoles
	@$(BIN)/curavani demo

test: $(STAMP)  ## the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile

test-fast: $(STAMP)  ## the part run most: no crash, race or property tests
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

check: $(STAMP)  ## lint, format, types, lock file, images and compose file
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/uv lock --check --quiet
	$(BIN)/hadolint patient_service/Dockerfile therapist_service/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/compose-lint check --quiet --skip-suppressed --strict-config --no-env --fail-on low --config deploy/compose-lint.yaml deploy/compose.yaml

mutants: $(STAMP)  ## how many small changes of the pure rules the tests notice; ONLY="module …" for some
	@$(BIN)/uv sync --quiet --locked --group mutants
	@$(BIN)/python tests/mutants.py $(ONLY)

format: $(STAMP)  ## rewrite the sources in the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## write the documents that are made from the code anew
	$(BIN)/python -m curavani.pages

messages: $(STAMP)  ## bring the console's catalogue in line with code and templates
	@$(BIN)/python -m curavani.messages

screenshots: $(STAMP)  ## take the README's pictures of the console anew; needs chromium
	$(BIN)/pytest -q tests/acceptance -k readme --write-images

bench: $(STAMP)  ## benchmarks side by side, a table with ratios
	@$(BIN)/uv sync --quiet --locked --group bench
	@$(BIN)/python -m benchmarks
