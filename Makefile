# Every target makes what it needs: .venv, the packages, the results.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first Python in 3.10 to 3.12 on the PATH; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
# A process a core, of one thread each: several of torch's in each would be in one another's way.
PARALLEL = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --maxprocesses 8 --dist worksteal
# Tests that mostly wait for SLURM: more than there are cores, each handed out when a process is free.
WAITING = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 4 --dist load --maxschedchunk 1 -o timeout=1200
PIP = .venv/bin/python -m pip install --disable-pip-version-check -q

.PHONY: help demo test test-slurm check bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

demo: .venv/installed  ## set up, then the main job on the built-in signers: video to report
	.venv/bin/python run.py

test: .venv/installed-test  ## set up, then every test that needs no GPU
	$(PARALLEL) -m "not gpu"

test-slurm: .venv/installed-test  ## start a SLURM on this machine (Debian, as root), run the tests that need one, end it
	launchers/slurm/up.sh
	@status=0; REQUIRE_SLURM=1 $(WAITING) tests/slurm || status=$$?; launchers/slurm/down.sh; exit $$status

check: .venv/installed-dev  ## formatting, linting, types, quick tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PARALLEL) -m "not gpu and not slow"

bench: .venv/installed  ## every benchmark; each prints ratios measured side by side
	@status=0; for script in benchmarks/*.py; do echo "== $$script"; .venv/bin/python $$script || status=1; done; exit $$status

clean:  ## remove .venv and caches; data/ and outputs/ stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.10, 3.11 or 3.12 was found. Install one, or give PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

.venv/installed: .venv/bin/python setup.cfg
	$(PIP) -e .
	@$(HEADLESS)
	@touch $@

.venv/installed-test: .venv/bin/python setup.cfg
	$(PIP) -e '.[test]'
	@$(HEADLESS)
	@touch $@ .venv/installed

.venv/installed-dev: .venv/bin/python setup.cfg
	$(PIP) -e '.[dev]'
	@$(HEADLESS)
	@touch $@ .venv/installed .venv/installed-test

# MediaPipe asks for the OpenCV build with windows, which needs the system's libGL. A bare server
# has none; there the build without windows, of the same version, takes its place.
HEADLESS = .venv/bin/python -c 'import cv2' 2>/dev/null || { \
	echo "This machine has no libGL: taking OpenCV without windows."; \
	$(PIP) --force-reinstall --no-deps opencv-contrib-python-headless==$$(.venv/bin/python -c \
	'from importlib.metadata import version; print(version("opencv-contrib-python"))'); }
