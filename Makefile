# Everything is done by a virtual environment in .venv; nothing is installed outside it but by `make test` as root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What only the tests need of the system, as program:Debian package: decoders of our files that are not ours, a Redis, the
# program for SPEED_QUALITY=high, what the README calls, browsers with what checks the page, a TURN server, and what
# checks and runs deploy/: Prometheus, Caddy, what builds an image, what looks at shell scripts and units, an allocator.
TEST_PROGRAMS := opusdec:opus-tools ffmpeg:ffmpeg flac:flac rubberband:rubberband-cli redis-server:redis-server \
  openssl:openssl curl:curl node:nodejs npm:npm chromium:chromium firefox-esr:firefox-esr turnserver:coturn \
  prometheus:prometheus caddy:caddy buildah:buildah debootstrap:debootstrap shellcheck:shellcheck \
  systemd-analyze:systemd dot:graphviz libjemalloc.so.2:libjemalloc2
# One more than cores, as most of the slow tests wait in real time; tests/sharing.py says who runs what.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
OUT ?=
TEXT ?=

.PHONY: help run say japanese qwen3 test lint lint-types lint-python lint-web vendor bench bench-browser bench-rtc \
  load soak lock clean audit architecture settings image image-base image-say bench-proxy bench-memory

help:
	@echo 'make run                               start the server (settings: see README.md)'
	@echo 'make say TEXT="Hello" [OUT=hello.wav]  speak through it'
	@echo 'make japanese                          install the voice that reads kanji (200 MB)'
	@echo 'make qwen3                             install what ENGINE=qwen3 needs (torch; for a GPU)'
	@echo 'make test                              install what the tests need, and run everything'
	@echo 'make vendor                            write the library of the page anew'
	@echo 'make bench                             latency figures'
	@echo 'make bench-browser                     figures of the page, in a Chromium'
	@echo 'make bench-rtc                         figures of WebRTC'
	@echo 'make bench-proxy                       figures of the proxy in front'
	@echo 'make bench-memory                      half an hour of load with either allocator, and memory.png'
	@echo 'make load                              figures of many listeners, and load.png'
	@echo 'make soak                              ten minutes of random sessions'
	@echo 'make audit                             known vulnerabilities of what is locked'
	@echo 'make architecture                      draw docs/architecture.svg anew'
	@echo 'make image [IMAGE_BASE=...]            build the image, with buildah (TARGET=gpu: for Qwen3-TTS)'
	@echo 'make image-base                        a base for it by debootstrap: localhost/realtime-base'
	@echo 'make image-say [TEXT=...] [OUT=...]    speak inside it'
	@echo 'make settings                          write .env.example, compose.yaml and the README by config.py'

run: $(VENV)/.installed
	@exec $(BIN)/python -m realtime serve

say: $(VENV)/.installed
	@$(if $(value TEXT),,echo 'usage: make say TEXT="Hello" [OUT=hello.wav]'; exit 2;) \
	$(BIN)/python -m realtime say $(if $(value OUT),--out "$$SAY_OUT") -- "$$SAY_TEXT"
# Through the environment, so that quotes and dollar signs reach the program as they are.
say: export SAY_TEXT = $(value TEXT)
say: export SAY_OUT = $(value OUT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or later is needed: make PYTHON=python3.12 ...'; exit 1; }
	@sh deploy/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/.installed: requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# The lock is complete but for torch, and is taken as it is: qwen-tts asks for much that the tests do not use. What they
# do use of it is compiled when they do.
$(VENV)/.installed-test: requirements-test.lock $(VENV)/.installed-qwen3
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps \
	  -r requirements-test.lock
	@touch $@

$(VENV)/.installed-japanese: requirements-japanese.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-japanese.lock
	@touch $@ $(VENV)/.installed

japanese: $(VENV)/.installed-japanese

$(VENV)/.installed-qwen3: requirements-qwen3.lock requirements-torch.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-qwen3.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	@touch $@ $(VENV)/.installed

qwen3: $(VENV)/.installed-qwen3

test:
	@sh tests/system-packages.sh $(TEST_PROGRAMS)
	@$(MAKE) --no-print-directory --output-sync --jobs=2 lint
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

lint: lint-types lint-python lint-web

lint-types: $(VENV)/.installed-test
	$(BIN)/mypy

lint-python: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture

lint-web: node_modules/.installed
	node_modules/.bin/tsc
	node_modules/.bin/biome check --error-on-warnings .

# What the page takes from others, written anew into web/vendor from the packages of package-lock.json.
vendor: node_modules/.installed
	@sh deploy/vendor.sh web/vendor

node_modules/.installed: package.json package-lock.json .npmrc
	npm ci --silent
	@touch $@

bench: $(VENV)/.installed-test
	$(BIN)/python -m bench.latency
	$(BIN)/python -m bench.session
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.text

bench-browser: $(VENV)/.installed-test
	@sh tests/system-packages.sh chromium:chromium
	$(BIN)/python -m bench.browser

bench-rtc: $(VENV)/.installed-test
	$(BIN)/python -m bench.rtc

bench-proxy: $(VENV)/.installed-test
	@sh tests/system-packages.sh caddy:caddy
	$(BIN)/python -m bench.proxy
bench-memory: $(VENV)/.installed-test
	@sh tests/system-packages.sh libjemalloc.so.2:libjemalloc2
	$(BIN)/python -m bench.memory --plot memory.png

load: $(VENV)/.installed-test
	$(BIN)/python -m bench.load --plot load.png

soak: $(VENV)/.installed-test
	$(BIN)/python -m bench.soak

# Asks PyPI and the npm registry; where they cannot be asked it says so, and lists what is locked.
audit: $(VENV)/.installed-test
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python deploy/audit.py

architecture: $(VENV)/.installed-test
	@sh tests/system-packages.sh dot:graphviz
	$(BIN)/python docs/draw_architecture.py docs/architecture.svg

# Without IMAGE_BASE the image stands on Debian's public one; what is built lies in build/image.
TARGET ?= cpu
IMAGE_BASE ?=
image image-base image-say: export TARGET := $(TARGET)
image: export IMAGE_BASE := $(IMAGE_BASE)
image:
	@sh deploy/image/image.sh build

image-base:
	@sh deploy/image/image.sh base

image-say: export TEXT := $(value TEXT)
image-say: export OUT := $(value OUT)
image-say:
	@sh deploy/image/image.sh say

# What stands in several places, written anew by realtime/config.py.
settings: $(VENV)/.installed
	$(BIN)/python -m deploy.settings

# New versions within the ranges of pyproject.toml, for every platform, with hashes. Needs uv. `make lock UPGRADE=` adds
# what is missing and leaves the rest. Torch is pinned by hand in requirements-torch.txt, without a hash: builds of one
# version for the CPU and for each CUDA are different files, and the package index that is asked says which it is.
UPGRADE ?= --upgrade
UV = uv pip compile --universal --python-version 3.11 --generate-hashes $(UPGRADE) --no-emit-index-url \
  --custom-compile-command 'make lock' -q
LOCK = $(UV) pyproject.toml
LOCK_IMAGE = $(UV) -c requirements-qwen3.lock
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra japanese -c requirements.lock -o requirements-japanese.lock
	$(LOCK) --extra qwen3 -c requirements-japanese.lock -c requirements-torch.txt --no-emit-package torch \
	  -o requirements-qwen3.lock
	$(LOCK) --extra japanese --extra qwen3 --extra test -c requirements-japanese.lock -c requirements-qwen3.lock \
	  -c requirements-torch.txt --no-emit-package torch -o requirements-test.lock
	$(LOCK_IMAGE) deploy/image/build.in -o deploy/image/build.lock
	$(LOCK_IMAGE) --no-deps deploy/image/flash-attn.in -o deploy/image/flash-attn.lock

clean:
	rm -rf $(VENV) node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
