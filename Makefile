# From a fresh clone: `make quickstart` and `make test` need Python 3.11 or
# newer, make and a package index, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

# Tests use one core each. Those of one file share what takes long to make.
TESTS := not long
WORKERS ?= 2
NATIVE := tests/test_delegate_native.py tests/test_engine.py
WEB := tests/test_web.py tests/test_web_browser.py tests/test_report_browser.py
OTHERS := $(NATIVE) $(WEB)
PYTEST := -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(OTHERS:%=--ignore=%)

# Where there is none for the sparse delegate, one comes from the package index.
COMPILER := command -v c++ || command -v g++ || command -v clang++

# TensorFlow tells much about the machine that is of no use here.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: quickstart web test test-long test-native test-web test-lowest test-jax
.PHONY: install-lowest install-others wheels docs lint lock audit clean

quickstart: $(VENV)/installed
	$(BIN)/issp-train --config=configs/quickstart.py --workdir=$(RUN)
	$(BIN)/issp-export $(RUN)/model.keras --all
	$(BIN)/issp-evaluate --model=$(RUN)/model_float32_sparse.tflite \
		--comparison=$(RUN)/comparison.png
	$(BIN)/issp-benchmark $(RUN)/model_float32_dense.tflite \
		$(RUN)/model_int8_dense.tflite \
		$(RUN)/model_float32_sparse.tflite --delegate=sparse \
		--output=$(RUN)/results.json,$(RUN)/results.png \
		--report=$(RUN)/report.html

# The engine in WebAssembly, and a page that upscales photographs with it.
# Without npm, the engine is a third larger.
web: $(VENV)/installed-web web/node_modules
	$(BIN)/python -m issp_keras.web

test: $(VENV)/installed-test
	$(BIN)/python $(PYTEST) -m '$(TESTS)'

# What `make test` leaves out, since it takes longest.
test-long:
	$(MAKE) test TESTS=long

# C++, which is compiled three times over and depends on no package.
test-native: $(VENV)/installed-test
	$(BIN)/python -m pytest $(NATIVE)

# WebAssembly under Node, and pages in Chromium, where there are these two.
test-web: $(VENV)/installed-test $(VENV)/installed-web web/node_modules
	$(BIN)/python -m pytest $(WEB)

# What versions can break, with the least one of every dependency, for Python
# 3.11.
LOWEST := VENV=.venv-lowest PIP_CONSTRAINT=requirements_lowest.txt
install-lowest:
	$(MAKE) .venv-lowest/installed-test $(LOWEST)

# One after the other, because each writes the metadata of the package.
install-others:
	$(MAKE) .venv-jax/installed
	$(MAKE) install-lowest

test-lowest:
	$(MAKE) test $(LOWEST) TESTS='versions and not long'

# The core on JAX, in an environment without TensorFlow.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax .venv-jax/bin/python $(PYTEST) -m '$(TESTS)' tests

# Wheels with the delegate, in dist: for Linux on x86-64 and aarch64.
wheels: $(VENV)/installed-wheels
	$(BIN)/python .ci/wheels.py dist

# The site, in build/site. Sources lie there as they are installed.
docs: $(VENV)/installed-docs
	rm -rf build/docs
	mkdir -p build/docs
	cp -R issp_keras build/docs/
	cp -R configs tflite web build/docs/issp_keras/
	rm -rf build/docs/issp_keras/web/node_modules
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The newest versions that setup.py admits, with hashes.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	build/lock/bin/python .ci/lock.py
	rm -rf build/lock

# Known weaknesses of the locked versions. It asks a service in the network.
audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet pip-audit
	build/audit/bin/python -m pip_audit --disable-pip -r requirements_lock.txt
	rm -rf build/audit

clean:
	rm -rf .venv .venv-lowest .venv-jax build dist *.egg-info runs
	rm -rf web/dist web/node_modules

$(VENV)/installed: setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"issp_keras needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing TensorFlow and others into $(VENV), some minutes ..."
	($(COMPILER)) >/dev/null || $(BIN)/python -m pip install --quiet 'ziglang>=0.13'
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all,test]'
	touch $@

$(VENV)/installed-web: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all,web]'
	touch $@

# All of these at once, which takes less time.
$(VENV)/installed-all: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all,test,web,docs,fuzz]'
	touch $(VENV)/installed-test $(VENV)/installed-web $(VENV)/installed-docs $@

$(VENV)/installed-wheels: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all,delegate]'
	touch $@

# Binaryen, which makes WebAssembly smaller.
web/node_modules: web/package.json
	command -v npm >/dev/null && npm install --silent --no-package-lock \
		--prefix web && touch $@ || echo "npm did not install Binaryen."

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[all,docs]'
	touch $@

.venv-jax/installed: setup.py pyproject.toml
	$(PYTHON) -m venv .venv-jax
	@echo "Installing JAX and Keras into .venv-jax ..."
	.venv-jax/bin/python -m pip install --quiet --editable '.[jax,sr]' \
		pytest pytest-xdist
	touch $@
