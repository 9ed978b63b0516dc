# `make repro` runs the whole pipeline, `make test` every test; both set up the environment first.
PYTHON ?= python3.11
VENV := .venv
INSTALLED := $(VENV)/.installed

# bare commands below are the environment's
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test pull lint lock install clean

repro: install
	dvc repro
	dvc metrics show
	@echo "report: $(CURDIR)/reports/index.html"

test: install
	pytest

# `dvc pull`, after a look whether the remote is there at all
pull: install
	python -m sengu.remotes .
	dvc pull

lint: install
	ruff check .
	ruff format --check .
	mypy
	lint-imports

install: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

# renews requirements.txt after a change of pyproject.toml; needs uv
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes \
		--no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.txt

clean:
	rm -rf $(VENV)
