# `make repro` runs the whole pipeline, `make test` every test; both set up the environment first.
PYTHON ?= python3.11
# requirements-gpu.txt: the same with NVIDIA's libraries, see docs/training.md
REQUIREMENTS ?= requirements.txt
VENV := .venv
INSTALLED := $(VENV)/.installed

# bare commands below are the environment's
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test pull lint lock install clean

repro: install
	dvc repro
	dvc metrics show
	@echo "report: $(CURDIR)/reports/index.html"

# two workers; files in their order, so that the long run starts early (tests/conftest.py)
test: install
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# `dvc pull`, after a look whether the remote is there at all
pull: install
	python -m sengu.repository.remote .
	dvc pull

lint: install
	ruff check .
	ruff format --check .
	mypy
	lint-imports

install: $(INSTALLED)

$(INSTALLED): $(REQUIREMENTS) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)
	pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

# renews both lock files after a change of pyproject.toml; needs uv
LOCK := uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes \
	--no-emit-index-url --no-emit-find-links pyproject.toml

lock:
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra gpu --constraint requirements.txt --output-file requirements-gpu.txt

clean:
	rm -rf $(VENV)
