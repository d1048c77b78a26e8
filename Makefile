# redis-vip: `make demo` shows a real failover, `make test` proves it.

GO         ?= go
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
SUDO       := $(if $(filter 0,$(shell id -u)),,sudo)

# Static, and no PIE (which is Go's default on Linux): a check that runs once a
# second does not relocate itself every time. The tag leaves out the part of cli
# that writes man pages.
BUILD      := CGO_ENABLED=0 $(GO) build -trimpath -tags urfave_cli_no_docs \
              -ldflags '-s -w -X redis-vip/cmd/internal/program.Version=$(VERSION)'

GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4

.PHONY: demo test fuzz vulns sim sim-long sim-mutations campaign booted packages test-packages lint build bench clean install-tools

demo: build install-tools ## a real failover, as it happens
	$(SUDO) bin/lab demo

build: ## all programs, in bin/
	@mkdir -p bin
	@$(BUILD) -o bin/ ./cmd/... ./examples/lab

install-tools: build ## what the lab needs of Debian's packages, without starting any of it
	@$(SUDO) bin/lab install

test: lint build install-tools sim ## everything: units, real servers, the lab
	$(GO) test $(if $(SUDO),-exec '$(SUDO) -E',) -timeout 15m -p 1 -parallel 6 ./...

FUZZTIME   ?= 10m

fuzz: ## each reader of what others write, with inputs that nobody thought of, for FUZZTIME each
	@.ci/fuzz $(FUZZTIME)

vulns: ## the known vulnerabilities that our code can reach; GOVULNDB names another database than Go's
	$(GO) run $(GOVULNCHECK) $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

sim: ## the rules in a world of virtual time, in 20,000 orders of events and 4,000 that nobody has seen
	$(GO) run ./examples/sim --runs 20000 --fresh 4000

sim-long: ## the same in a million, and in 200,000 with few kinds of faults
	$(GO) run ./examples/sim --runs 20000 --fresh 980000
	$(GO) run ./examples/sim --few --fresh 200000

sim-mutations: ## take the guards out of the rules, one by one: the simulator has to miss each
	$(GO) test -tags mutations -count=1 -timeout 30m -run Mutations -v ./examples/sim

FAULTS     ?= 500
SEED       ?= 1

campaign: build install-tools ## FAULTS random faults on labs of every architecture, and a table: half an hour
	@if command -v cc >/dev/null; then cc -O2 -shared -fPIC -o bin/clock.so examples/lab/campaign/c/clock.c; fi
	$(SUDO) bin/lab campaign --faults $(FAULTS) --seed $(SEED) --out bin/campaign.md

booted: build ## the tests on booted Debian hosts, with the stock units
	@$(SUDO) bin/lab install --booted
	REDIS_VIP_BOOTED=1 $(GO) test $(if $(SUDO),-exec '$(SUDO) -E',) -count=1 -timeout 15m ./examples/lab/booted/

packages: ## deb and rpm, amd64 and arm64, in dist/
	@packaging/build

test-packages: build ## the packages: built twice, linted, installed on hosts that boot; the procedures
	@$(SUDO) bin/lab install --booted --packages
	REDIS_VIP_PACKAGES=1 $(GO) test $(if $(SUDO),-exec '$(SUDO) -E',) -count=1 -timeout 15m ./packaging/

lint:
	@out=$$($(GO) run $(GOFUMPT) -l .) && [ -z "$$out" ] || { echo "gofumpt would change: $$out"; exit 1; }
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run .ci/fuzz examples/lab/bench/check.sh packaging/build packaging/scripts/* packaging/completions/redis-vip.bash; fi

bench: build install-tools ## what the programs cost, beside what people use in their place
	@mkdir -p bin/bench
	@$(BUILD) -o bin/bench/ping-go ./examples/lab/bench/ping
	@$(BUILD) -tags urfave_cli_no_docs,valgrind -o bin/bench/redis-vip-counted ./cmd/redis-vip
	@if command -v cc >/dev/null; then cc -O2 -static -o bin/bench/ping-c examples/lab/bench/c/ping.c; fi
	$(SUDO) bin/lab bench
	$(GO) test -run '^$$' -bench . ./cmd/... ./checks/...

clean:
	rm -rf bin dist
