# Every target sets up what it needs: a local .venv, uv (by pip), the locked dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup demo test test-long check types style layers doctests bench lock clean

setup: $(STAMP)

$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "error: Python 3.11 or newer is needed; run 'make PYTHON=python3.12 ...'" >&2; exit 2)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup
	$(BIN)/homeostat demo

# Files in their order: xdist's own begins with those of many tests, and ends with the longest one on one core.
test: check
	$(BIN)/python -m pytest -m "not long" -n logical --dist loadfile --no-loadscope-reorder

test-long: setup
	$(BIN)/python -m pytest -m long

# Two at once, each of which fits on one core; what they say stays together.
check: setup
	@$(MAKE) --no-print-directory -j 2 --output-sync=target types style layers doctests

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

layers:
	$(BIN)/lint-imports

doctests:
	$(BIN)/python -m pytest --doctest-modules src/homeostat --ignore=src/homeostat/storage/sql/migrations

bench: setup
	@for script in bench/*.py; do echo "== $$script" >&2; $(BIN)/python $$script || exit 1; done

# Writes the locked requirements anew (needs the network); review the diff like code.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev --extra demo pyproject.toml requirements/build.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
