# `make run` shows the embedded mail world, `make run CONFIG=config.yaml` probes real mailboxes, `make test` checks all.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: walk-times help run test quick fuzz verdicts install-npm screenshots test-other-python test-install test-fresh bench torture docs check fmt clean install-servers venv venv-dev

BIN := .venv/bin
# Each worker of pytest would compile every test anew.
unexport PYTHONDONTWRITEBYTECODE
# Of pytest. Tests mostly wait, so there are more workers than cores.
WORKERS ?= 6
# The tests of the files that we ship beside the program, and of the servers of the tests.
# Inputs that `make fuzz` tries with each parser.
FUZZ_EXAMPLES ?= 5000
NOT_THE_PROGRAM = alertmanager containers grafana recorded rules servers
PROGRAM = --without-servers $(NOT_THE_PROGRAM:%=--ignore=tests/%)
SERVERS = $(shell sed 's/\#.*//' tests/packages.debian.txt)

help:
	@echo 'make run                      a mail world of its own, some of it broken, on http://127.0.0.1:9826/'
	@echo 'make run CONFIG=config.yaml   the mailboxes of config.yaml'
	@echo 'make test                     everything, against real servers (as root: installs them)'
	@echo 'make test WORKERS=3           with fewer tests at the same time (0: one after another, in one process)'
	@echo 'make quick                    the tests of the program that need no real server: about a minute'
	@echo 'make verdicts                 how often the reason is right on replies that no row holds'
	@echo '.venv/bin/pytest tests/walk   one folder, file or test (more in CONTRIBUTING.md)'
	@echo 'make check                    linter, formatter, types, config.yaml'
	@echo 'make test-install             docs/install.md, run as written on new Debians; the image (root, network, minutes)'
	@echo 'make test-fresh               make run and make test on new Debians, from a clean clone (root, network, an hour)'
	@echo 'make fuzz                     random and hostile inputs for each parser of what strangers send'
	@echo 'make bench                    measures and writes docs/benchmarks.md'
	@echo 'make walk-times               how long from a fault to its page, in real time (half an hour)'
	@echo 'make torture                  kills the daemon 500 times while it probes real servers (KILLS=50: fewer)'
	@echo 'make docs                     writes the pages of docs/ that are generated from the code'
	@echo 'make screenshots              docs/screenshot.png and docs/images, of the demo'
	@echo 'make fmt · make clean         format the code · remove what was made'

run: venv
ifdef CONFIG
	@exec $(BIN)/mailprobe run --config.file='$(CONFIG)'
else
	@exec $(BIN)/mailprobe demo
endif

# A server that is missing fails its tests; nothing is skipped.
test: export MAILPROBE_TEST_REQUIRE_SERVERS := 1
test: install-servers install-npm check
	$(BIN)/pytest -n $(WORKERS)
	@$(MAKE) --no-print-directory test-other-python

quick: venv-dev
	$(BIN)/pytest -n $(WORKERS) $(PROGRAM)

# The newest Python we promise, where there is one, or another by PYTHON=3.12, with the tests of `make quick` without those
# of the documentation.
test-other-python: NOT_THE_PROGRAM += docs
test-other-python: PYTHON = 3.13
test-other-python: FOUND = $(shell for each in python$(PYTHON) $$HOME/.pyenv/versions/$(PYTHON)*/bin/python; do \
	"$$each" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done)
test-other-python:
	@if [[ -z '$(FOUND)' ]]; then \
	    echo 'Python $(PYTHON) is not here: not tried.'; \
	elif [[ "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" == '$(PYTHON)' ]]; then \
	    echo 'All of it ran on Python $(PYTHON) already.'; \
	else \
	    .ci/venv .venv-$(PYTHON) dev '$(FOUND)'; \
	    echo '.venv-$(PYTHON)/bin/pytest -n $(WORKERS) $(PROGRAM)'; \
	    .venv-$(PYTHON)/bin/pytest -n $(WORKERS) $(PROGRAM) -p no:cacheprovider; \
	fi

# New Debians that their own systemd starts, and the commands of docs/install.md on them; and the image, built and run.
test-install: venv-dev
	@.ci/install-debian mmdebstrap systemd-container buildah git
	$(BIN)/pytest -m install tests/install tests/containers

# Both releases made anew, a clone of what is committed, the demo, all tests; or one: make test-fresh RELEASE=trixie
test-fresh: RELEASE = bookworm trixie
test-fresh:
	@.ci/install-debian mmdebstrap git
	@.ci/fresh $(RELEASE)

# The pages that are made from the code; tests compare them.
fuzz: venv-dev
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest -q tests/fuzz

# How often the verdict is right on replies that no row holds, and which ones are wrong.
verdicts: venv-dev
	$(BIN)/python -m tests.verdicts

docs: venv-dev
	$(BIN)/python -m exporter.outputs.metrics.families > docs/metrics.md
	$(BIN)/python -m tests.docs.generate_configuration
	$(BIN)/python -m tests.docs.generate_flags
	$(BIN)/python -m tests.docs.generate_reasons
	$(BIN)/python -m tests.docs.generate_signatures
	$(BIN)/python -m tests.docs.generate_architecture
	$(BIN)/python -m deploy.rules
	$(BIN)/python -m tests.rules.document > docs/alerts.md
	$(BIN)/python -m tests.docs.generate_runbooks
	$(BIN)/python -m tests.docs.generate_traditional
	$(BIN)/python -m tests.system.faults
	$(BIN)/python -m grafana.generator

bench: install-servers venv-dev
	$(BIN)/pytest -m bench -s tests/bench

# The daemon is killed 500 times while it probes real servers; MAILPROBE_TORTURE_SEED=N chooses other instants.
walk-times: venv-dev
	$(BIN)/pytest -n 0 -m times tests/walk/test_times.py

torture: KILLS = 500
torture: install-servers venv-dev
	MAILPROBE_TORTURE_KILLS=$(KILLS) MAILPROBE_TORTURE_WORLDS=4 $(BIN)/pytest -n 4 --dist load -v -rP tests/torture

# docs/screenshot.png and docs/images, of the demo in a real Chromium (fonts: see tests/docs/screenshots.py).
screenshots: install-servers venv-dev
	$(BIN)/python -m tests.docs.screenshots
	$(BIN)/python -m tests.grafana.screenshots

check: venv-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mailprobe --config.check --config.file=config.yaml

fmt: venv-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venv-3.* tests/node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-servers:
	@.ci/install-debian $(SERVERS)
	@if ((EUID != 0)); then echo 'The tests start dovecot and postfix, which need root.' >&2; exit 1; fi
	@id -u vmail >/dev/null 2>&1 || \
	    useradd --system --user-group --no-create-home --shell /usr/sbin/nologin vmail # owns the mail of the tests

# What the tests take from npm. The lock file names no registry, so the configured one is asked.
install-npm: tests/node_modules/.installed
tests/node_modules/.installed: tests/package.json tests/package-lock.json
	@command -v npm >/dev/null || .ci/install-debian nodejs npm # whichever npm is there will do
	@npm ci --prefix tests --no-audit --no-fund --silent
	@touch $@

venv:
	@.ci/venv .venv demo

venv-dev:
	@.ci/venv .venv dev
