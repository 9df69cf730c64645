# The door: each line calls cargo, xtask or a script. `make help` lists them.
#
# CARGO_TARGET_DIR is respected; ARGS goes to `pyrope run`, as in `make run ARGS=config.alloy`, to the benchmarks, or to the
# virtual machines; PYROPE_BIN is the binary that the end-to-end and browser tests drive, the benchmarks measure, and the virtual
# machines run.

export PATH := $(CURDIR)/target/tools/bin:$(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin:/usr/sbin:/sbin

CARGO  ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
PYROPE_BIN ?= $(TARGET)/release/pyrope
PYROPE_WORKLOADS ?= $(TARGET)/workloads
PYROPE_PEER ?= $(TARGET)/peer
XTASK  := $(TARGET)/debug/xtask
# One selection of packages for what is built in debug mode, so that no crate is built twice, each time with other features.
CRATES := --workspace --exclude e2e
# Integration tests by name, for those of crates/bpf need root.
UNIT_TESTS   := $(sort $(basename $(notdir $(filter-out crates/bpf/%,$(wildcard crates/*/tests/*.rs)))) \
                $(notdir $(patsubst %/main.rs,%,$(wildcard crates/*/tests/*/main.rs))))
KERNEL_TESTS := $(basename $(notdir $(wildcard crates/bpf/tests/*.rs)))
SUDO   := $(if $(filter-out 0,$(shell id -u)),sudo)
# Test programs that load BPF run as root; what cargo builds stays the user's.
AS_ROOT := $(if $(SUDO),--config 'target."cfg(unix)".runner="sudo -E env PATH=$(PATH)"')

export PYROPE_BIN PYROPE_WORKLOADS PYROPE_PEER

.DEFAULT_GOAL := help
.PHONY: help run build test lint format test-unit test-conformance test-peer test-kernel test-e2e test-ui test-vm test-vm-ends fuzz bench workloads docs clean

help: ## lists these lines
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-24s %s\n", $$1, $$2 }'

run: ## installs what is missing, builds pyrope and runs it, with its page at http://127.0.0.1:12345
	@tools/setup.sh run
	@$(MAKE) --no-print-directory build
	$(SUDO) $(TARGET)/release/pyrope run $(ARGS)

build: ## builds the release binary, target/release/pyrope
	@tools/setup.sh run
	$(CARGO) build --release --package pyrope-agent

test: ## installs what is missing and runs every check and test there is; uses root for the kernel's part
	@tools/setup.sh test
	@for step in lint test-unit test-conformance test-peer test-kernel test-e2e test-ui test-vm-ends; do \
	    echo "== $$step"; start=$$(date +%s); \
	    $(MAKE) --no-print-directory $$step || exit 1; \
	    echo "== $$step: $$(($$(date +%s) - start)) s"; \
	done

lint: ## formatting, clippy and tidy: the architecture's rules that a program can check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) build $(CRATES) --bins --tests
	$(XTASK) tidy

format: ## formats the Rust code
	$(CARGO) fmt --all

test-unit: ## the tests of all crates that need neither root nor the kernel's part
	$(CARGO) test $(CRATES) --lib --bins $(addprefix --test ,$(UNIT_TESTS))
	$(CARGO) test $(CRATES) --doc

test-conformance: ## the configuration language and the components against recorded answers of Grafana Alloy
	$(CARGO) build $(CRATES) --bins --tests
	@for file in $(wildcard crates/*/testdata/*.jsonl); do \
	    echo "xtask conformance $$file"; $(XTASK) conformance $$file || exit 1; \
	done

test-peer: ## the Go peer that plays the Pyroscope server in the end-to-end tests
	cd e2e/peer && go vet ./... && go test ./...

test-kernel: ## the BPF programs on the running kernel, as root
	$(CARGO) $(AS_ROOT) test $(CRATES) $(addprefix --test ,$(KERNEL_TESTS)) -- --test-threads=1

test-e2e: build workloads ## the release binary on the running kernel, as root: workloads in, Go peer and store out
	$(CARGO) $(AS_ROOT) test --package e2e -- --test-threads=1

test-ui: build workloads ## the page in Chromium
	cd e2e/browser && npm ci --silent && npm run --silent check
	tools/with-pyrope.sh npm --prefix e2e/browser test

test-vm-ends: ## pyrope on the oldest and the newest kernel of `make test-vm`
	@$(MAKE) --no-print-directory test-vm ARGS="5.10 7.2"

test-vm: ## pyrope on Debian's kernels 5.10, 6.1, 6.12 and 7.2, each in a virtual machine; ARGS names some, as in `make test-vm ARGS="6.1 6.12-rt"`
	@tools/setup.sh vm
	@$(MAKE) --no-print-directory build workloads
	$(CARGO) run --quiet --package xtask -- vm $(ARGS)

fuzz: ## damaged files to every reader of files for five minutes, from a new seed; ARGS names other seconds
	PYROPE_FUZZ_SECONDS=$(or $(ARGS),300) $(CARGO) test $(CRATES) --test damage -- --nocapture

bench: ## measures what pyrope costs, about two hours; ARGS names rows, as in `make bench ARGS="walk cpu"`; needs root and a quiet machine
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory build workloads
	cd e2e/browser && npm ci --silent
	$(CARGO) $(AS_ROOT) run --quiet --package xtask -- bench $(ARGS)

workloads: ## builds the programs with known stacks and the Go peer that the end-to-end tests use
	@$(MAKE) --no-print-directory -C e2e/workloads OUT=$(PYROPE_WORKLOADS)
	cd e2e/peer && go build -o $(PYROPE_PEER) .

docs: ## the crates' documentation as HTML, target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

clean: ## removes all that was built
	$(CARGO) clean
