# make build     build/cardtool and build/cardbridge-pkcs11.so
# make demo      the main job, each step shown, on the software card
# make test      everything CI runs
# make bench     the APDUs that tasks cost, beside other programs'
# make campaign  what chance has a part in, for hours; with SAMPLE=1 for a minute, as CI does
# make release   build/release: a tarball with man pages, completions and checksums

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Tools by version, so that a new release of one does not break an old commit.
GOFUMPT = mvdan.cc/gofumpt@v0.12.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build demo test check unit bench campaign release clean

build:
	@scripts/deps build
	@mkdir -p build
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o build/cardtool ./cmd/cardtool
ifneq ($(wildcard pkcs11/so/*.go),)
	$(GO) build -trimpath -buildmode=c-shared -o build/cardbridge-pkcs11.so ./pkcs11/so
	@rm -f build/cardbridge-pkcs11.h
endif

demo:
	@scripts/deps build demo
	@$(MAKE) --no-print-directory -s build
	@scripts/demo

test:
	@scripts/deps build test
	@scripts/tmp $(MAKE) --no-print-directory build check unit
	@scripts/tmp $(MAKE) --no-print-directory campaign SAMPLE=1

# What finds mistakes without running anything.
check:
	@unformatted=$$($(GO) run $(GOFUMPT) -l .) || exit 1; test -z "$$unformatted" || { echo "not as gofumpt writes it:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	GOOS=windows CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/cardtool

# The race detector makes two things too slow, so they are left to a run without
# it: the exhaustive walks of the session model, and every operation on a PIV card
# with every fault at every APDU.
unit: build
	CARDTOOL='$(CURDIR)/build/cardtool' CARDBRIDGE_PKCS11='$(CURDIR)/build/cardbridge-pkcs11.so' $(GO) test -race -timeout 30m ./...
	$(GO) test -timeout 30m ./session/... ./card/piv

bench:
	@scripts/deps build test
	$(GO) test -count=1 -v ./hwtest/bench/...
	$(GO) test -run '^$$' -bench . ./session

campaign:
	@scripts/deps build test
	GO='$(GO)' SAMPLE='$(SAMPLE)' scripts/campaign

release:
	@scripts/deps build
	scripts/release '$(VERSION)'

clean:
	rm -rf build
