# Every target sets up the virtual environment first, if needed. `make` alone lists them.
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.synced
TRANSLATIONS := shared/console/translations
TEMPLATE := build/messages.pot
# More workers than two cores: much of the time is waited for. In the quick part little is, and each costs its start.
PARALLEL := --dist loadfile --no-loadscope-reorder

# Hundreds of processes and six thousand tests are not compiled anew each time, whatever the machine's habit is.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-fast test-engines check audit mutants format docs messages screenshots bench

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Installing compiles the catalogues.
$(STAMP): pyproject.toml uv.lock hatch_build.py $(wildcard $(TRANSLATIONS)/*/LC_MESSAGES/*.po)
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv sync --quiet --locked
	@touch $@

setup: $(STAMP)  ## the virtual environment .venv, exact versions

demo: $(STAMP)  ## both imports on real files against embedded parts; says what happened
	@$(BIN)/curavani demo --once --log build/demo.log

serve: $(STAMP)  ## the same stack left running, with both services and their consoles
	@$(BIN)/curavani demo --log build/demo.log

test: $(STAMP)  ## the whole test suite
	$(BIN)/pytest -n 4 $(PARALLEL)

test-fast: $(STAMP)  ## the part run most: rules, both imports, API, console and outbox; not what is marked slow
	$(BIN)/pytest -n 3 $(PARALLEL) -m "not slow"

test-engines: $(STAMP)  ## against real engines: Kafka, PostgreSQL and PgBouncer, Prometheus, a bucket server, images, the compose file
	$(BIN)/pytest tests/engines

check: $(STAMP)  ## lint, format, types, lock file, images and compose file
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/uv lock --check --quiet
	$(BIN)/hadolint patient_service/Dockerfile therapist_service/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/compose-lint check --quiet --skip-suppressed --strict-config --no-env --fail-on low --config deploy/compose-lint.yaml deploy/compose.yaml

audit: $(STAMP)  ## licences and known vulnerabilities of the lock, moved base images; fails where nobody can be asked
	@$(BIN)/uv sync --quiet --locked --group audit
	@mkdir -p build
	@$(BIN)/uv export --quiet --locked --no-emit-project --extra patient --extra therapist --no-dev > build/audit.txt
	$(BIN)/pip-audit --requirement build/audit.txt --require-hashes --disable-pip --strict --progress-spinner off
	$(BIN)/python -m curavani.licences build/audit.txt
	$(BIN)/python -m curavani.base_images patient_service/Dockerfile therapist_service/Dockerfile

mutants: $(STAMP)  ## how many small changes of the pure rules the tests notice; ONLY="module …" for some
	@$(BIN)/uv sync --quiet --locked --group mutants
	@$(BIN)/python tests/mutants.py $(ONLY)

format: $(STAMP)  ## rewrite the sources in the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## write the documents that are made from the code anew
	$(BIN)/python -m curavani.pages

messages: $(STAMP)  ## bring the console's catalogue in line with code and templates
	@mkdir -p $(dir $(TEMPLATE))
	@$(BIN)/pybabel --quiet extract --mapping=babel.cfg --keyword=lazy_gettext --keyword=lazy_ngettext:1,2 \
		--no-location --sort-output --output=$(TEMPLATE) shared patient_service therapist_service
	@$(BIN)/pybabel --quiet update --input-file=$(TEMPLATE) --output-dir=$(TRANSLATIONS) --locale=de \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=120
	@$(BIN)/pybabel --quiet compile --directory=$(TRANSLATIONS)

screenshots: $(STAMP)  ## take the README's pictures of the console anew; needs chromium
	$(BIN)/pytest -q tests/acceptance -k readme --write-images

bench: $(STAMP)  ## benchmarks side by side, a table with ratios
	@$(BIN)/uv sync --quiet --locked --group bench
	@$(BIN)/python -m benchmarks
