# The whole developer interface. `make up` and `make test` each do all their own set-up.
# An empty environment (`env -i`) has no PATH, and without one Python cannot find itself.
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
RUN := $(TEST_VENV)/bin
KERNELS := src/fairwitness/kernels

.PHONY: up install test lint fmt bench soak sanitize clean

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

# Whatever hands bytes to C++, and damaged bytes for a while, with kernels that watch what they touch.
# Their libraries have to come first; what Python itself leaks by design is not looked for. What AMX's
# tiles read and write is told to them by `csrc/watched.h`.
WATCHED := tests/kernels tests/posts/test_stream.py tests/posts/test_segment.py \
  tests/index/test_bad_input.py tests/index/test_words.py tests/models/test_packed.py \
  tests/engine/test_drafter.py
FUZZ_S ?= 120
SANITIZERS = $(foreach name,asan ubsan stdc++,$(shell $(CXX) -print-file-name=lib$(name).so))
WATCH = LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(RUN)/python
sanitize: export FAIRWITNESS_SANITIZE := address,undefined
sanitize: $(TEST_VENV)/installed
	$(RUN)/python -m fairwitness.kernels.build
	$(WATCH) -m pytest --capture=no -o timeout=1200 $(WATCHED)
	$(WATCH) tests/kernels/fuzz.py $(FUZZ_S)
	mkdir -p build
	$(CXX) -O1 -g1 -std=c++17 -pthread -fsanitize=thread tests/kernels/pool.cpp -o build/pool
	setarch --addr-no-randomize build/pool

clean:
	rm -rf $(VENV) $(TEST_VENV) build dist
