# What can be done here. Anything longer than a line or two is a script in .ci/.
SHELL := /bin/bash
GO ?= go

.PHONY: build install uninstall run check test lint fuzz e2e bench recording soak dist release clean
.DEFAULT_GOAL := build

build: ## the binary, ./shoal
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o shoal ./cmd/shoal

# Built anew only if something changed: root, who installs, has no cache of what is compiled.
shoal: go.mod go.sum $(shell find cmd share index webui -path webui/app -prune -o -type f \( -name '*.go' -o -path 'webui/dist/*' \) -print 2>/dev/null)
	@$(MAKE) --no-print-directory build

install: shoal ## into PREFIX (/usr/local): binary, manual, completions, systemd units
	.ci/install

uninstall: ## undo it; state, downloads and an edited configuration stay
	.ci/install remove

run: build ## share a real folder, fetch it with a second process, compare
	./cmd/shoal/demo.sh

check: ## build, vet and unit tests, in under three minutes
	.ci/check

test: ## everything that is checked before a change is accepted
	.ci/test

lint: ## formatting, vet, staticcheck, dead code, builds for every system
	.ci/lint

fuzz: ## every fuzz target in turn, FUZZTIME each (30s)
	.ci/fuzz

e2e: ## the real binary in the lab, beside other people's clients
	$(GO) test -count=1 -timeout 30m -v ./cmd/internal/lab ./cmd/e2e

bench: ## measured beside libtorrent and mktorrent; writes docs/performance.md
	$(GO) run ./cmd/bench -write docs/performance.md

recording: ## the moving picture of the README, from a real run
	RECORD=1 $(GO) test -count=1 -v -run TestRecording ./cmd/e2e

soak: ## the long versions: 200 kills, hours of fuzzing
	SOAK=1 $(GO) test -count=1 -timeout 12h -v -run 'Soak|RandomHistories|Package|ReleaseIsReproducible' ./...
	FUZZTIME=$${FUZZTIME:-10m} .ci/fuzz
	FUZZTIME=1h .ci/fuzz index/dht/internal/krpc share/engine/internal/swarm/wire share/engine/internal/swarm/core share/utp

dist: ## binaries, packages, container images, SBOM and checksums, in dist/
	.ci/dist

release: ## the same for the tag of this commit, after checking that it is one
	.ci/release

clean:
	rm -rf shoal dist
