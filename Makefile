# The whole developer interface. `make up` and `make test` each do all their own set-up.
# An empty environment (`env -i`) has no PATH, and without one Python cannot find itself.
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
RUN := $(TEST_VENV)/bin
KERNELS := src/fairwitness/kernels

.PHONY: up install test lint fmt bench soak clean

up: install
	$(VENV)/bin/fairwitness up

install: $(VENV)/installed $(KERNELS)/_native.so

# Installing builds it too; this is for sources that have changed since.
$(KERNELS)/_native.so: $(wildcard $(KERNELS)/csrc/*)
	@$(PYTHON) -P $(KERNELS)/build.py

$(VENV)/installed: pyproject.toml hatch_build.py
	@echo "Installing fairwitness into $(VENV): a minute, and 200 MB to download the first time"
	$(call make_venv,$(VENV))
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(TEST_VENV)/installed: pyproject.toml hatch_build.py
	$(call make_venv,$(TEST_VENV))
	$(TEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Debian ships Python without ensurepip unless python3-venv is there: then pip itself brings pip.
define make_venv
	@$(PYTHON) -m venv --clear $(1) >/dev/null 2>&1 || { \
	  $(PYTHON) -m venv --clear --without-pip $(1) && \
	  $(PYTHON) -m pip --python $(1)/bin/python install --quiet pip; }
endef

test: $(TEST_VENV)/installed $(KERNELS)/_native.so lint
	./.ci/chromium
	$(RUN)/python -m pytest

lint: $(TEST_VENV)/installed
	$(RUN)/ruff format --check hatch_build.py src tests benchmarks
	$(RUN)/ruff check hatch_build.py src tests benchmarks
	$(RUN)/mypy

fmt: $(TEST_VENV)/installed
	$(RUN)/ruff format hatch_build.py src tests benchmarks
	$(RUN)/ruff check --fix hatch_build.py src tests benchmarks

# Captures beside the checkout, when they are there. `make bench QUICK=--quick` takes minutes, not hours.
TEXTS := $(if $(wildcard ../shared/data),--texts ../shared/data)
bench: install
	$(VENV)/bin/fairwitness bench ask --json
	$(VENV)/bin/python benchmarks/serving_forecast.py --out build/serving.json
	mkdir -p build
	$(VENV)/bin/python benchmarks/peers/run.py $(TEXTS) $(QUICK) --out build/peers.json
	$(VENV)/bin/fairwitness bench index $(TEXTS) $(QUICK) --work build/bench --peers build/peers.json --json >build/index.json
	$(VENV)/bin/python benchmarks/plot_index.py build/index.json --svg build/index.svg --markdown build/index.md

soak: $(TEST_VENV)/installed
	$(RUN)/python -m pytest -m soak

clean:
	rm -rf $(VENV) $(TEST_VENV) build dist
