# Everything a contributor or CI does has a target here; `make help` lists them.
# Go is all that build, run and test need. Tools are pinned below and fetched on
# first use.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

GOLANGCI_VERSION := 2.15.0
BUF_VERSION := 1.73.0

# Extra flags: `make run ARGS="--mcp-config mcp.json"`, `make test ARGS="-run Pool"`.
ARGS ?=
# What test and cover look at.
PKGS ?= ./...
# How often each fuzz target runs, or how long, as in 1m. With a short time Go now
# and then reports its own deadline as a failure.
FUZZTIME ?= 50000x
# Tag of the images.
IMAGE ?= mcpbridge

# The race detector needs a C compiler, which not everybody has.
RACE ?= $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# buf from npm takes seconds; without npm it is built from Go source, which
# takes minutes once. Both give the same output, as long as the versions match:
# this one and the one in tools/go.mod.
BUF ?= $(if $(shell command -v npx),npx --yes @bufbuild/buf@$(BUF_VERSION),go tool -modfile=tools/go.mod buf)

# What .proto files must stay compatible with: main, if this clone has it.
MAIN ?= $(firstword $(shell git for-each-ref --format='%(refname)' refs/heads/main refs/remotes/origin/main))

# golangci-lint of the pinned version if it is installed, else built from source.
GOLANGCI ?= $(shell .ci/golangci-lint $(GOLANGCI_VERSION))

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build and start the bridge, without configuration (ARGS="--flags")
	exec bin/mcpbridge $(ARGS)

.PHONY: build
build: ## Build bin/mcpbridge
	go build -trimpath -o bin/mcpbridge ./cmd/server

.PHONY: test
test: npm-packages ## Run all tests (PKGS=./internal/pool/... ARGS="-run Name")
	@result=0
	echo "go test $(RACE) $(ARGS) $(PKGS)"
	go test $(RACE) $(ARGS) $(PKGS) || result=$$?
	if [[ -z "$(RACE)" ]]; then
	  echo "NOTE: without a C compiler the race detector was off"
	fi
	if ! command -v node >/dev/null; then
	  echo "NOTE: without Node the tests against MCP servers from npm were skipped"
	fi
	exit $$result

# The tests install the packages themselves when need be; one npm ci up front
# keeps that out of their time.
.PHONY: npm-packages
npm-packages:
	@lock=test/npm/node_modules/.package-lock.json
	if command -v npm >/dev/null && ! [[ $$lock -nt test/npm/package-lock.json ]]; then
	  npm ci --prefix test/npm --ignore-scripts --no-audit --no-fund --prefer-offline
	  touch $$lock
	fi

.PHONY: cover
cover: npm-packages ## Measure test coverage, into .tmp/cover.html
	mkdir -p .tmp
	go test -coverpkg=./cmd/...,./internal/... -coverprofile=.tmp/cover.out $(ARGS) $(PKGS)
	go tool cover -html=.tmp/cover.out -o .tmp/cover.html
	go tool cover -func=.tmp/cover.out | tail -n 1

.PHONY: fuzz
fuzz: ## Run each fuzz target for a short while (FUZZTIME=1m)
	@grep -rl --include='*_test.go' '^func Fuzz' cmd internal | while read -r file; do
	  grep -o '^func Fuzz[A-Za-z0-9_]*' "$$file" | while read -r _ name; do
	    echo "$${file%/*} $$name"
	    go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$${file%/*}"
	  done
	done

.PHONY: bench
bench: ## Measure the bridge against its speed targets (ARGS="rounds seconds targets...")
	bench/run.sh $(ARGS)

.PHONY: microbench
microbench: ## Run the Go benchmarks (PKGS=./internal/convert/...)
	go test -run '^$$' -bench . -benchmem $(ARGS) $(PKGS)

.PHONY: generate
generate: ## Generate gen/ from proto/
	$(BUF) generate

.PHONY: generate-check
generate-check: generate ## Fail if gen/ is not what proto/ says
	git diff --exit-code -- gen
	test -z "$$(git ls-files --others --exclude-standard -- gen | tee /dev/stderr)"

.PHONY: lint
lint: lint-go lint-proto lint-modules ## Check style, .proto files and modules

.PHONY: lint-go
lint-go: ## Check the Go code, also as another system sees it
	$(GOLANGCI) run ./...
	GOOS=darwin go vet ./...

.PHONY: lint-proto
lint-proto: ## Check the .proto files, and that main's callers still understand them
	$(BUF) lint
	$(if $(MAIN),$(BUF) breaking --against '.git#ref=$(MAIN)')

.PHONY: lint-modules
lint-modules: ## Check that the go.mod files are tidy
	go mod tidy -diff
	cd bench && go mod tidy -diff

.PHONY: image
image: ## Build the container images (needs Docker)
	docker build --target bridge --tag $(IMAGE):latest .
	docker build --target node --tag $(IMAGE):node .
