# `make` prints its targets.
PYTHON ?= python3

.PHONY: help dev test slow ctest lint format notebooks bench demo clean

help: ## print the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

dev: ## build the extension in place, warnings are errors
	VLMNEG_DEV=1 $(PYTHON) setup.py -q build_ext --inplace build_blas

test: dev ## the usual test suite
	$(PYTHON) -m pytest

slow: dev ## sanitizers, Valgrind, the whole demo, installation
	$(PYTHON) -m pytest -m slow

ctest: ## the C programs alone: plain, sanitizers, Valgrind
	$(PYTHON) -m pytest -m slow tests/test_c.py

lint: ## ruff, codespell, mypy, stubtest
	ruff check .
	codespell
	mypy
	$(PYTHON) -m mypy.stubtest --mypy-config-file pyproject.toml vlmneg._core

format: ## clang-format the C files
	clang-format -i $$(git ls-files 'csrc/*.c' 'csrc/*.h' 'tests/c/*.c' 'tests/c/*.h')

notebooks: ## rebuild the .ipynb files from their scripts
	$(PYTHON) notebooks/build.py

bench: dev ## time a training step beside open_clip's (needs the peers)
	$(PYTHON) -m bench step

demo: dev ## the embedded demonstration
	$(PYTHON) -m vlmneg demo

clean: ## remove what builds leave
	rm -rf build *.egg-info vlmneg/*.so vlmneg/lib
