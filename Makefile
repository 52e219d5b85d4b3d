# inferd: a thin layer over CMake. `make help` lists what there is.
PREFIX ?= /usr/local
DESTDIR ?=
.DEFAULT_GOAL := all
.PHONY: all openvino trained run serve test test-full fuzz-smoke test-triton bench bench-serving install setup setup-openvino setup-test clean help


all: setup  ## build the release program, build/inferd
	@cmake --preset release $(if $(V),,>/dev/null)
	@cmake --build --preset release --target program

openvino: setup-openvino all  ## install OpenVINO and build its plug-in, for ONNX and SavedModel

trained: all  ## build build/trained/inferd, the server optimised by what a load executes (gcc; under two minutes)
	@scripts/trained

run: all  ## the whole job on the embedded model: export, serve, ask, score
	@scripts/run_squad.sh "" "" "" "" "" "" "" "" "" "" true "" "" true

serve: all  ## serve the embedded model on ports 8000, 8001, 8002; ask it with curl
	@build/inferd export --checkpoint models/minilm-squad --model-repository out/models --model bert --overwrite
	@exec build/inferd serve --model-repository out/models

test: setup-test  ## all tests: unit, real clients, and the same under sanitizers (some 35 minutes on two cores)
	@scripts/run_tests

test-full: setup-test  ## the tests, and the long ones too
	@scripts/run_tests --full

fuzz-smoke: setup-test  ## each fuzz target for a few seconds (part of `make test`)
	@scripts/run_fuzz

test-triton: setup-test  ## the clients' tests against the real Triton (installs it on first use; about ten minutes)
	@tests/clients/against_triton

bench: openvino setup-test  ## measure against the peers (installs them on first use)
	@scripts/run_bench

bench-serving: all  ## the servers alone: CPU per request of inferd and of Triton, on an identity model (about 20 minutes)
	@bench/serving

install: all  ## install to $(DESTDIR)$(PREFIX), with OpenVINO's plug-in and runtime where they are built
	@cmake -DCMAKE_INSTALL_PREFIX="$(PREFIX)" build >/dev/null
	@DESTDIR="$(DESTDIR)" cmake --install build --strip

setup:
	@scripts/setup --run

setup-openvino:
	@scripts/setup --openvino

setup-test:
	@scripts/setup

clean:  ## remove what was built
	@rm -rf build out

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'
