# `make demo`: a project from this checkout, and its tests. `make test`: the template's own tests.
# Both need Python 3.11, make, git and the package registry; `uv` is brought along when missing.

DEST ?= demo
PYTHON ?= python3
SHELL := /bin/sh
TOOLS := .cache/tools
PYTEST := $(TOOLS)/bin/python -m pytest -n 2 --dist worksteal
PRIVATE_UV := $(CURDIR)/.cache/uv/bin/uv
UV := $(shell command -v uv 2>/dev/null || echo $(PRIVATE_UV))
# uv finds itself on the PATH of what it runs; interpreters are those of the machine.
export PATH := $(dir $(UV)):$(PATH)
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all lint pins snapshot release-check release-notes

demo: $(TOOLS)/installed
	@if [ -e "$(DEST)" ] && [ -n "$$(ls -A "$(DEST)")" ]; then \
		echo "make demo: '$(DEST)' is not empty and stays as it is; name another folder: make demo DEST=../shop" >&2; \
		exit 2; \
	fi
	$(TOOLS)/bin/copier copy --defaults --vcs-ref HEAD . "$(DEST)"
	cd "$(DEST)" && git init --quiet && "$(UV)" run pytest
	@echo
	@echo "A project from this checkout, its tests green. To see it in a browser:"
	@echo
	@echo "    cd $(DEST)"
	@[ "$(UV)" = "$(PRIVATE_UV)" ] && echo "    export PATH=\"$(dir $(UV)):\$$PATH\"   # uv was not on this machine" || true
	@echo "    cp .env.example .env"
	@echo "    uv run manage.py migrate"
	@echo "    uv run manage.py runserver   # http://127.0.0.1:8000"

test: $(TOOLS)/installed
	$(TOOLS)/bin/ruff check .
	$(TOOLS)/bin/ruff format --check .
	$(PYTEST) $(ARGS)

# A release: raise the version in pyproject.toml, write CHANGELOG.md, `make snapshot`, commit, `make release-check`,
# then run the workflow Release, or `git tag --annotate v<version>` and push the tag.
snapshot: $(TOOLS)/installed
	$(TOOLS)/bin/python tests/support/releases.py snapshot

release-check: $(TOOLS)/installed
	$(TOOLS)/bin/python tests/support/release.py check
	HERMETIC_REQUIRE_ALL=1 $(PYTEST) -m "slow or not slow" tests/updates/test_updates.py tests/updates/test_fleet.py tests/updates/test_scenarios.py tests/updates/test_migrations.py

release-notes: $(TOOLS)/installed
	@$(TOOLS)/bin/python tests/support/release.py notes

test-all: $(TOOLS)/installed
	$(PYTEST) -m "slow or not slow" $(ARGS)

pins: $(TOOLS)/installed
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev --upgrade --output-file requirements.txt
	$(TOOLS)/bin/python tests/support/pins.py

$(TOOLS)/installed: requirements.txt | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d; name one from 3.11 on: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Setting up the tools (once) ..."
	@$(UV) venv --quiet --clear --python $(PYTHON) $(TOOLS)
	@$(UV) pip install --quiet --python $(TOOLS) --require-hashes --requirement requirements.txt
	@touch $@

$(PRIVATE_UV):
	@echo "Bringing uv into .cache/uv (once) ..."
	@python3 -m venv .cache/uv
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
