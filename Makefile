# `make repro` runs the whole pipeline, `make test` every test; both set up the environment first.
# The first Python of these that is there and runs; PYTHON=… takes another
SUPPORTED := python3.11 python3.12 python3.13
PYTHON ?= $(firstword $(foreach name,$(SUPPORTED),$(shell $(name) -c "" 2>/dev/null && echo $(name))) python3)
# requirements-gpu.txt: the same with NVIDIA's libraries, see docs/training.md
REQUIREMENTS ?= requirements.txt
VENV := .venv
INSTALLED := $(VENV)/.installed
PIP := pip install --disable-pip-version-check --progress-bar on

# bare commands below are the environment's
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test check quick soak pull push lint lock notice install clean

repro: install
	dvc repro
	dvc metrics show
	@echo "report: $(CURDIR)/reports/index.html"

# two workers; files in their order, so that the longest start early (tests/conftest.py)
PYTEST := pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST) --durations 40

# what people who edit run: the linters, and the tests that start no program, server or browser and train no network, side by side
check: install
	$(MAKE) --jobs 2 --output-sync lint quick

quick: install
	$(PYTEST) -m "not slow"

# the long counts, seeded: random kills, wounds, fuzzing, of which `make test` runs a twentieth
soak: install
	SENGU_SOAK=1 pytest --numprocesses 2 --dist loadfile -m soak

# `dvc pull`, after a look at what is missing, damaged or cold
pull: install
	sengu remote pull

# `dvc push` to every remote that counts, a check, and the catalogue that explains it
push: install
	sengu remote push

lint: install
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# .dvc/config.local, by which DVC finds the remotes at every revision (docs/remote.md); an image is built without .dvc
install: $(INSTALLED) $(patsubst %,%.local,$(wildcard .dvc/config))

.dvc/config.local: .dvc/config | $(INSTALLED)
	python -m sengu.remote.configuration .
	touch $@

$(INSTALLED): $(REQUIREMENTS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1): Sengu needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=/path/to/python3.13"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r $(REQUIREMENTS)
	$(PIP) --quiet --no-build-isolation --no-deps --editable .
	touch $@

# renews both lock files after a change of pyproject.toml; needs uv
LOCK := uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes \
	--no-emit-index-url --no-emit-find-links pyproject.toml

lock:
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra gpu --constraint requirements.txt --output-file requirements-gpu.txt

# the licences of what the lock file names; an error for what is under the GPL alone
notice: install
	python -m sengu.repository.licences requirements.txt NOTICE

clean:
	rm -rf $(VENV)
