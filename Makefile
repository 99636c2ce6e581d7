# Everything runs in .venv. The first target that needs it installs what a demo needs; tests and
# linters add their tools on top.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REPOSITORY := build/model_repository
# The demo converts models from Paddle's own format, into a repository of its own.
DEMO_REPOSITORY := build/demo_repository
# Models that are built and served: tiny, small, medium or v4.
SET ?= small
SOURCES := client converters pipeline server benchmarks model_repository docker
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
RELEASE := $(VENV)/.installed-release
SBOM_ENVIRONMENT := build/sbom-environment
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo serve test nightly lint audit format build dist sbom clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(DEMO) ## read the sample pictures through a server of their own, draw one, stop
	@ppocr-convert build --set v4 --out $(DEMO_REPOSITORY)
	@ppocr-serve --model-repository $(DEMO_REPOSITORY) --grace 0 --http-port 0 --grpc-port 0 --metrics-port 0 --gateway-port none -- sh -ec '\
		echo "== through gRPC, $$PPOCR_GRPC_URL"; \
		ppocr-client read --url $$PPOCR_GRPC_URL samples/*.jpg samples/*.png; \
		echo "== through HTTP, $$PPOCR_HTTP_URL"; \
		ppocr-client read --url $$PPOCR_HTTP_URL samples/poster_zh.jpg --draw build/demo.png'
	@echo "== boxes and texts are drawn in build/demo.png; make serve serves PP-OCRv6"

serve: build ## serve PP-OCRv6 (or SET=v4, tiny, medium) until Ctrl-C
	@ppocr-serve --model-repository $(REPOSITORY) --paddle-serving 9999,18090 $(SERVE_FLAGS)

build: $(DEMO) ## fetch, convert, prove and lay out the models
	@ppocr-convert build --set $(SET) --out $(REPOSITORY)

test: $(DEV) ## the whole test suite, on the real server
	@pytest

nightly: $(DEV) ## the tests that take long, and new inputs for all that make up their own
	@pytest -m nightly
	@pytest -m "hypothesis and not nightly and not server" --hypothesis-profile nightly

lint: $(DEV) ## style, types and unsafe calls
	@ruff check .
	@ruff format --check .
	@mypy
	@for step in model_repository/*/1/model.py; do mypy $$step || exit 1; done
	@bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)

audit: $(DEV) ## known weaknesses of the packages used; asks the package index
	@pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

format: $(DEV) ## rewrite the code in the project's style
	@ruff check --fix .
	@ruff format .

dist: $(RELEASE) ## the wheel and the source package, in dist
	rm -rf dist
	@# The wheel is built from the unpacked source package, so that the tree gets no build/lib.
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) pyproject-build --no-isolation --outdir dist .
	twine check --strict dist/*
	cp constraints.txt dist

sbom: dist ## what the wheel's server and converter install, as CycloneDX, in dist
	$(PYTHON) -m venv --clear --without-pip $(SBOM_ENVIRONMENT)
	$(BIN)/python -m pip --python $(SBOM_ENVIRONMENT) install --disable-pip-version-check -c constraints.txt \
		"$$(ls dist/*.whl)[serve,convert]"
	cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --validate \
		--output-file dist/sbom.cdx.json $(SBOM_ENVIRONMENT)/bin/python

clean: ## remove what was built, keep the environment
	rm -rf build dist

$(DEMO): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "Python 3.10, 3.11 or 3.12 is needed; got $$($(PYTHON) --version); run make PYTHON=python3.12" >&2; exit 1; }
	@echo "== the first run downloads 81 packages (463 MB, 1.7 GB on disk) into $(VENV) and the models (18 MB); about two minutes on two quiet cores beside the download"
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[demo]'
	@touch $@

$(RELEASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[release]'
	@touch $@

$(DEV): $(DEMO)
	@echo "== test tools: 94 more packages, 0.7 GB on disk"
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@
