# make help lists the targets. PYTHON chooses the interpreter of a new .venv.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
OUT := quickstart
# Python compiles the modules that are imported, and keeps them; pip would compile all.
export PYTHONDONTWRITEBYTECODE :=
# Large pages of memory, where Linux has them (docs/speed.md).
GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
export GLIBC_TUNABLES
# Errors are shown, warnings are not: they are about pip and not about this project.
export PIP_ROOT_USER_ACTION := ignore
PIP := $(RUN) -m pip install -qq --disable-pip-version-check --no-compile
# Installs what pip would, in a quarter of the time.
UV := $(PIP) uv && $(RUN) -m uv pip install --quiet --python $(RUN)
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help quickstart demo notebooks test suite test_slow smoke check clean

help:
	@echo "make quickstart  generate people, train pg2plus on them, evaluate it"
	@echo "make demo        the page for the browser, with the small model that comes with the code"
	@echo "make notebooks   the quickstart if needed, a run of the paper's networks, the notebooks"
	@echo "make test        install what the tests need, check the code, run the tests"
	@echo "make test_slow   the tests that take minutes: interruptions, several processes, notebooks"
	@echo "make smoke       a part of the tests, to try another python: PYTHON=python3.13 VENV=.venv-3.13"
	@echo "make clean       remove the folder of the quickstart, $(OUT)/"

# Written only when everything is installed; after a failure the next make repeats it.
$(STAMP): requirements.txt setup.cfg
	@echo "== Installing into $(VENV) with $$($(PYTHON) --version): about a minute"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v <= (3, 13); sys.exit(0 if ok else f"error: this needs python 3.11 to 3.13, not {sys.version.split()[0]}; try: make PYTHON=python3.11")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(UV) -r requirements.txt || $(PIP) -r requirements.txt
	@$(PIP) --no-deps -e .
	@touch $@

quickstart: $(OUT)/data/dataset_info.json
	$(RUN) -m experiments.main --flagfile=experiments/flagfiles/quickstart.flags \
	    --data_dir=$(OUT)/data --workdir=$(OUT)/run
	$(RUN) -m experiments.main --mode=evaluate --data_dir=$(OUT)/data --workdir=$(OUT)/run
	@echo "Next: make demo, a page for the browser with a larger model"

$(OUT)/people/market-annotation-test.csv: | $(STAMP)
	$(RUN) -m data_prep.synthesize_people --output_dir=$(OUT)/people --image_size=64x32 \
	    --train_identities=300 --test_identities=20 --images_per_identity=8 --same_scene

$(OUT)/data/dataset_info.json: $(OUT)/people/market-annotation-test.csv
	$(RUN) data_prep/build_tfrecords.py --dataset=market1501 --source_dir=$(OUT)/people \
	    --output_dir=$(OUT)/data --image_size=64x32 --max_test_pairs=1000

demo: $(STAMP)
	$(RUN) -m experiments.main --mode=demo --workdir=models/pg2plus_128x64/model.safetensors

# The notebooks compare the quickstart's run with one of the paper's networks.
notebooks: $(OUT)/run/metrics.json
	$(RUN) -m experiments.main --flagfile=experiments/flagfiles/pg2_64x32.flags \
	    --data_dir=$(OUT)/data --workdir=$(OUT)/pg2
	rm -rf $(OUT)/notebooks
	$(RUN) -m experiments.execute_notebooks

$(OUT)/run/metrics.json:
	$(MAKE) quickstart

# The tests of a file share their trainings, so one process runs them all.
PYTEST := $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: $(STAMP)
	@$(MAKE) --no-print-directory -j 2 check suite

# In a fresh clone no module is compiled yet, which three processes would do at once.
suite: $(STAMP)
	@test -d tests/__pycache__ || $(RUN) -m pytest --collect-only -qq > /dev/null || true
	$(PYTEST)

test_slow: $(STAMP)
	$(PYTEST) -m slow

# Networks, numbers of the authors' code, formats of before: a minute on another python.
smoke: $(STAMP)
	$(PYTEST) tests/pg2_jax/test_models.py tests/pg2_jax/test_recorded_numbers.py \
	    tests/experiments/test_saved_formats.py

check: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy pg2_jax experiments data_prep

clean:
	rm -rf $(OUT)
