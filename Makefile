# Anneal: the two commands of the README are `make demo` and `make test`.
GOLDEN ?= ../shared/golden
ENGINE ?= cpu
MORE_GOLDEN ?= ../shared/golden-2
MODELS ?= ../shared/realmodels
BUILD = swift build -c release
# Whether packages and make install bring anneal-server along.
SERVER ?=
export SERVER
ANNEAL = .build/release/anneal

.PHONY: demo test setup build plugin server man reference docs install deb archive lint format bench clean
.PHONY: conformance check-examples check-mxnet check-onnx check-onnx-suite check-weights check-exports check-docs check-pages
.PHONY: check-server check-package check-gpu-compile check-hosts hash-table fuzz

## Installs what is missing, builds, and trains, fine-tunes and scores on Fashion-MNIST (about six minutes).
demo: setup
	@scripts/say "Building Anneal in release mode"
	@$(BUILD) --product anneal
	@scripts/demo.sh $(ANNEAL)

## Installs what is missing, builds, and runs every test.
test: setup
	@scripts/say "Building Anneal and its tests in release mode"
	@$(BUILD) --build-tests
	@scripts/say "Unit tests"
	@# One after the other: the kernels' tests choose the processor's instructions for the whole process.
	@. scripts/test-plugin.sh && swift test -c release --skip-build --no-parallel
	@$(MAKE) --no-print-directory check-examples
	@$(MAKE) --no-print-directory conformance-all

setup:
	@scripts/setup.sh

## Installs what accelerators need: make plugin NAME=cuda12|cuda13|rocm|cpu (cpu runs XLA on the processor, for tests).
plugin:
	@scripts/plugin.sh "$(NAME)"

build: setup
	@$(BUILD) --product anneal

## Repeats every MXNet-made case below a folder: make conformance GOLDEN=FOLDER ENGINE=cpu|reference|xla|cuda|rocm
conformance:
	@$(BUILD) --product anneal-conformance
	@.build/release/anneal-conformance --engine "$(ENGINE)" "$(GOLDEN)"

# The committed cases always; the larger set where it is there.
conformance-all:
	@scripts/say "MXNet-made cases"
	@$(MAKE) --no-print-directory conformance GOLDEN=Tests/Fixtures/golden
	@. scripts/test-plugin.sh && if [ -n "$$ANNEAL_PJRT_PLUGIN" ]; then \
	$(MAKE) --no-print-directory conformance GOLDEN=Tests/Fixtures/golden ENGINE=xla; fi
	@if [ -d "$(GOLDEN)" ]; then $(MAKE) --no-print-directory conformance; \
	else scripts/say "skipped: $(GOLDEN) is not there (the committed cases ran)"; fi
	@if [ -d "$(MORE_GOLDEN)" ]; then $(MAKE) --no-print-directory conformance GOLDEN="$(MORE_GOLDEN)"; \
	else scripts/say "skipped: $(MORE_GOLDEN) is not there (later cases)"; fi
	@if [ -d "$(MODELS)" ]; then $(MAKE) --no-print-directory conformance GOLDEN="$(MODELS)"; \
	else scripts/say "skipped: $(MODELS) is not there (checkpoints that others trained)"; fi

## Runs the example program on a part of Fashion-MNIST.
check-examples:
	@scripts/say "Example: train a classifier through the library"
	@$(BUILD) --product anneal
	@$(BUILD) --product train-classifier
	@$(ANNEAL) import-mnist --images /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz \
		--labels /usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz .build/example/fashion
	@.build/release/train-classifier .build/example/fashion.rec

## Compiles the networks for GPUs on a machine without one (233 MB to download, an hour the first time) and writes the table of
## the documentation.
check-gpu-compile: setup
	@scripts/check-gpu-compile.sh

## Lets MXNet 1.9.1, in an environment of its own, read one of every file that Anneal writes and compute the same.
## With ONLY=records only what the tools for records write.
check-mxnet: setup
	@scripts/check-mxnet.sh $(ONLY)

## Times training, inference and starts side by side with MXNet, PyTorch and ONNX Runtime, which it installs into
## their own environments; one that cannot be installed is left out.
bench: build
	-@Benchmarks/setup-peers.sh
	@python3 Benchmarks/bench.py $(BENCHFLAGS)

## Lets TensorBoard and MLflow, in an environment of their own, read what a run writes for them.
check-exports: build
	@scripts/check-exports.sh

## Lets ONNX Runtime compute every network and operator that is exported, and models of other frameworks that were
## imported, and compares; with CASES=FOLDER only the imports below that folder.
ONNX_CASES ?= ../shared/onnx
check-onnx:
	@Benchmarks/setup-peers.sh onnx
	@$(BUILD) --product anneal-onnx-cases
	@$(BUILD) --product anneal
	@Benchmarks/.venv-onnx/bin/python scripts/check-onnx.py \
		$(if $(CASES),--only-imports --imports "$(CASES)",--golden Tests/Fixtures/golden/ops --imports Tests/Fixtures/onnx \
		$(if $(wildcard $(GOLDEN)/ops),--golden "$(GOLDEN)/ops") $(if $(wildcard $(ONNX_CASES)),--imports "$(ONNX_CASES)"))

## Repeats ONNX's own tests of operators, which the wheel of onnx 1.22.0 brings along; prints a table by operator.
check-onnx-suite:
	@scripts/onnx-suite.sh
	@$(BUILD) --product anneal-onnx-cases
	@.build/release/anneal-onnx-cases suite .build/onnx-suite/onnx/backend/test/data

## Lets Anneal compute networks of torchvision and timm, with random weights, from their .pth and .safetensors files.
check-weights:
	@$(BUILD) --product anneal-onnx-cases
	@scripts/check-weights.sh

## Damages every kind of file that is read, in 10,000 ways each, and watches the readers: no crash, no hang, no large
## allocation (about five minutes; a part of it runs in `make test`). For more: make fuzz FUZZFLAGS="--count 100000 --seed 2"
fuzz: setup
	@$(BUILD) --product anneal-fuzz
	@.build/release/anneal-fuzz $(FUZZFLAGS)

## Makes the library's documentation as web pages, in .build/docs; every link in it must lead somewhere.
docs: build
	@scripts/docs.sh

## Writes the manual pages to .build/man/man1, or: make man MAN=~/.local/share/man/man1
MAN ?= .build/man/man1
man: build
	@$(ANNEAL) man-pages "$(MAN)"

## Builds anneal-server, which `anneal serve` runs, and puts it next to the tool.
server: build
	@swift build -c release --package-path Server --scratch-path .build-server --product anneal-server
	@install -m 755 .build-server/release/anneal-server .build/release/anneal-server

## Tests the server's own package, and asks the server what strangers may (not in CI: it builds the library a second time).
check-server: server
	@swift test --package-path Server --scratch-path .build-server -c release
	@scripts/check-server.py $(ANNEAL)

## Installs the tool with manual pages, completions and licences; it carries the Swift runtime:
## make install PREFIX=~/.local (default /usr/local)
PREFIX ?= /usr/local
install: setup
	@scripts/install.sh "$$(scripts/static-build.sh)" "$(PREFIX)"

## Makes a package for Debian 12 that needs no Swift toolchain, in .build/packages; with SERVER=1 it brings anneal-server.
deb: setup
	@scripts/package.sh deb

## Makes a .tar.gz for other distributions that carries its libraries, in .build/packages.
archive: setup
	@scripts/package.sh archive

## Installs the packages in fresh roots (debootstrap, as root) and uses them.
check-package: deb archive
	@scripts/check-package.sh

## Writes every command's flags to Documentation/commands.md.
reference: build
	@$(ANNEAL) command-reference Documentation/commands.md

## Follows the links of README and documentation, knows every command and flag in them, and runs what is marked (ten seconds).
check-docs: build
	@scripts/check-docs.py $(ANNEAL)

## Looks at the pages of runs in headless Chromium (installs chromium and chromium-driver if they are missing).
check-pages: build
	@scripts/check-pages.sh

## Kills and stops random processes of jobs, which must be named and continue with the same bits: make check-hosts ROUNDS=10 SEED=2
ROUNDS ?= 50
SEED ?= 1
check-hosts: build
	@scripts/check-hosts.py $(ANNEAL) $(ROUNDS) $(SEED)

## Prints the table of hashes of Documentation/hosts.md: the same for any number of threads, devices and processes.
hash-table: build
	@scripts/hash-table.py $(ANNEAL)

lint:
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples Server

format:
	@swift format --in-place --recursive --parallel Package.swift Sources Tests Examples Server

clean:
	@swift package clean
