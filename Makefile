# The commands of this repository; `make help` lists them. They need Python 3.11 or newer, make, git and the package
# registry; `uv` is installed into .cache when it is missing.

DEST ?= demo
PYTHON ?= python3
SHELL := /bin/sh
TOOLS := .cache/tools
PYTEST := $(TOOLS)/bin/python -m pytest -n 2 --dist worksteal
RUFF := $(TOOLS)/bin/ruff
PRIVATE_UV := $(CURDIR)/.cache/uv/bin/uv
UV := $(shell command -v uv 2>/dev/null || echo $(PRIVATE_UV))
# What uv runs finds uv on PATH, too. Python interpreters are those of the machine.
export PATH := $(dir $(UV)):$(PATH)
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo lint quick test test-all ecosystem figures pictures examples fleet pins snapshot release-check release-notes
.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: $(TOOLS)/installed ## generate a project from this checkout and run its tests (DEST=../shop)
	@if [ -e "$(DEST)" ] && [ -n "$$(ls -A "$(DEST)")" ]; then \
		echo "make demo: '$(DEST)' is not empty and was not changed; name another folder: make demo DEST=../shop" >&2; \
		exit 2; \
	fi
	$(TOOLS)/bin/copier copy --defaults --vcs-ref HEAD "$(CURDIR)" "$(DEST)"
	cd "$(DEST)" && git init --quiet && "$(UV)" run pytest
	@echo
	@echo "The project is ready and its tests are green. To see it in a browser:"
	@echo
	@echo "    cd $(DEST)"
	@[ "$(UV)" = "$(PRIVATE_UV)" ] && echo "    export PATH=\"$(dir $(UV)):\$$PATH\"   # uv was not on this machine" || true
	@echo "    cp .env.example .env"
	@echo "    uv run manage.py migrate"
	@echo "    uv run manage.py runserver   # http://127.0.0.1:8000"

lint: $(TOOLS)/installed ## check code and format, also of the plain .py files under template/: seconds
	$(RUFF) check .
	$(RUFF) format --check .
	$(RUFF) check --config tests/support/template_ruff.toml template
	$(RUFF) format --check --config tests/support/template_ruff.toml template

quick: lint ## lint, then the tests of the layer and of rendering: about four minutes, installs nothing
	$(PYTEST) $(wildcard tests/layer) tests/template $(ARGS)

test: lint ## lint, then every test that is not slow: about 15 minutes (ARGS="-k seeds")
	$(PYTEST) $(ARGS)

test-all: lint ## also the slow tests: every workflow, the whole fleet, a browser
	$(PYTEST) -m "slow or not slow" $(ARGS)

ecosystem: $(TOOLS)/installed ## run other people's suites with the layer over them (SUITES="django-filter")
	$(TOOLS)/bin/python tests/support/ecosystem.py $(SUITES)

figures: $(TOOLS)/installed ## measure every published figure again (ARGS="--quick" takes a few minutes)
	$(TOOLS)/bin/python benchmarks/figures.py $(ARGS)

pictures: $(TOOLS)/installed ## draw the picture of a leak again, from a real run
	$(TOOLS)/bin/python tests/support/leak.py

fleet: $(TOOLS)/installed ## show the projects that LIST names, with a page: make fleet LIST=projects.txt
	$(TOOLS)/bin/python fleet.py "$(LIST)" --html fleet.html

examples: $(TOOLS)/installed ## render examples/ again, after a change under template/
	$(TOOLS)/bin/python tests/support/examples.py

pins: $(TOOLS)/installed ## renew the pinned versions that the tests use
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev --upgrade --output-file requirements.txt
	$(TOOLS)/bin/python tests/support/pins.py

# A release: raise the version in pyproject.toml, write CHANGELOG.md, `make snapshot`, commit, `make release-check`;
# then run the workflow Release, or `git tag --annotate v<version>` and push the tag.
snapshot: $(TOOLS)/installed ## keep this release for the update tests of later ones
	$(TOOLS)/bin/python tests/support/releases.py snapshot

release-check: $(TOOLS)/installed ## check that this commit can be released
	$(TOOLS)/bin/python tests/support/release.py check
	HERMETIC_REQUIRE_ALL=1 $(PYTEST) -m "slow or not slow" tests/updates/test_updates.py tests/updates/test_fleet.py tests/updates/test_scenarios.py tests/updates/test_migrations.py tests/updates/test_judged.py tests/updates/test_interrupted.py

release-notes: $(TOOLS)/installed ## print this version's entry of CHANGELOG.md
	@$(TOOLS)/bin/python tests/support/release.py notes

$(TOOLS)/installed: requirements.txt | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d; name one from 3.11 on: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Setting up the tools (once) ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) $(TOOLS)
	@$(UV) pip install --quiet --python $(TOOLS) --require-hashes --requirement requirements.txt
	@touch $@

$(PRIVATE_UV):
	@echo "Installing uv into .cache/uv (once) ..."
	@python3 -m venv .cache/uv
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
