# make demo   the main job, from nothing: its tables and pictures land in runs/demo
# make test   everything CI checks, installs included (make check is the same)
# make docs   the site, its pages executed: build/docs/html/index.html
# make release-check   what is released, installed and tried in empty environments
# make bench  the benchmarks, an hour alone on two cores; results land in benchmarks/results
PYTHON ?= python3
# One CPU build of PyTorch where there is no NVIDIA GPU; a plain "torch" may bring gigabytes of CUDA.
TORCH ?= $(if $(shell command -v nvidia-smi),torch,torch==2.13.0)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SINABS := 3.1.3
# sinabs' own tests, from its source distribution, run against picojoule.compat.sinabs.
export SINABS_TESTS := $(CURDIR)/$(VENV)/sinabs-$(SINABS)/tests
# Peers are outside witnesses: without their dependencies, which would bring torchvision in.
PEERS := sinabs==$(SINABS) pbr nir nirtorch h5py norse==1.1.0 snntorch==1.0.0 spikingjelly==2.0.0 loguru neurobench==2.3.0
# Triton's interpreter runs the GPU's kernels on the CPU, for their tests.
TRITON := $(if $(filter Linux,$(shell uname -s)),triton==3.9.0)

# Most tests keep one core busy. Each process begins with a half of the files, in order, so that most fixtures are made once.
TWO_AT_A_TIME := -n 2 --dist worksteal

.PHONY: demo test check test-all docs release-check bench bench-quick format clean

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed. On Debian: apt-get install python3-venv"; exit 1; }
	$(PIP) "$(TORCH)"
	$(PIP) -e ".[all]"
	touch $@

$(VENV)/dev: $(VENV)/base
	$(PIP) -e ".[dev]"
	$(PIP) --no-deps $(PEERS) $(TRITON)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary sinabs --dest $(VENV) sinabs==$(SINABS)
	tar xzf $(VENV)/sinabs-$(SINABS).tar.gz -C $(VENV)
	touch $@

demo: $(VENV)/base
	$(BIN)/picojoule train --out runs/demo --overwrite

test: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(TWO_AT_A_TIME) -m "not slow"

check: test

# the slow cases too (their slowest are told); that of PostgreSQL wants `apt-get install postgresql`, else it is skipped
test-all: test
	$(BIN)/pytest -m slow --durations=25

bench: $(VENV)/dev
	$(BIN)/python benchmarks/run.py

bench-quick: $(VENV)/dev
	$(BIN)/python benchmarks/run.py --quick

# a warning, a broken link within the site, a public name without a page or a cell that fails: no site
docs: $(VENV)/dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs build/docs/html
	@echo "build/docs/html/index.html"

# wheel and sdist, in empty environments: each extra, each Python, the oldest and the newest releases; half an hour
release-check: $(VENV)/dev docs
	TORCH="$(TORCH)" $(BIN)/nox --no-error-on-missing-interpreters

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist docs/pictured docs/reference/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis
