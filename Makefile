# The whole developer interface. `make up` and `make test` each do all their own set-up.
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
RUN := $(TEST_VENV)/bin

.PHONY: up install test lint fmt bench soak clean

up: install
	$(VENV)/bin/fairwitness up

install: $(VENV)/installed

# --system-site-packages is never used: what was installed by hand must not matter.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(TEST_VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(TEST_VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

test: $(TEST_VENV)/installed lint
	./.ci/chromium
	$(RUN)/python -m pytest

lint: $(TEST_VENV)/installed
	$(RUN)/ruff format --check src tests benchmarks
	$(RUN)/ruff check src tests benchmarks
	$(RUN)/mypy

fmt: $(TEST_VENV)/installed
	$(RUN)/ruff format src tests benchmarks
	$(RUN)/ruff check --fix src tests benchmarks

bench: install
	$(VENV)/bin/fairwitness bench ask --json

soak: $(TEST_VENV)/installed
	FW_SOAK=1 $(RUN)/python -m pytest -m soak

clean:
	rm -rf $(VENV) $(TEST_VENV) build dist
