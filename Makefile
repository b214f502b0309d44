# Each line is a command that can be typed. The README says what to type where there is no make.

PYTHON ?= python3
WORKERS ?= 2

export OMP_NUM_THREADS = 1
# The false alarm that pyproject.toml names, silenced in the kernels too.
export PYTHONWARNINGS = ignore:invalid value encountered in matmul:RuntimeWarning

.PHONY: lab test check notebooks bench

lab: .venv/.learner
	.venv/bin/jupyter lab notebooks/00_start_here.ipynb

check: .venv/.developer
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup -m "not slow and not browser"

test: .venv/.developer
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup -m "not browser"
	.venv/bin/pytest -n $(WORKERS) --dist loadfile --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks
	.venv/bin/pytest -m browser

notebooks: .venv/.developer
	.venv/bin/python tools/notebooks.py

bench: .venv/.developer
	.venv/bin/python benchmarks/run.py

# The stamps make pip run again only when the requirements have changed.
.venv/.python:
	$(PYTHON) -m venv .venv
	touch $@

.venv/.learner: .venv/.python requirements.txt pyproject.toml
	.venv/bin/python -m pip install -r requirements.txt
	touch $@

.venv/.developer: .venv/.learner requirements-dev.txt
	.venv/bin/python -m pip install -r requirements-dev.txt
	touch $@
