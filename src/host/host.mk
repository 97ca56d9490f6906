# Builds the default host of one Go: the shared library and what lies beside it. The top Makefile includes this and sets
# GOROOT_DIR (a Go root, 1.21 or newer), HOST (the library) and HOST_FILES (what belongs to it).
#
# Nothing is downloaded: the module has no dependencies, and the toolchain is told not to look for another one.

HOST_GO := GOROOT=$(GOROOT_DIR) GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off GO111MODULE=on CGO_ENABLED=1 GOOS= GOARCH= \
	$(GOROOT_DIR)/bin/go
HOST_SOURCES := $(wildcard src/host/go.mod src/host/*.go src/host/*.[chsS] src/host/default/packages.txt \
	src/host/internal/*/*.go src/host/internal/*/*.[chsS])
HOST_TOOLS := $(HOST_DIR)/tools/mkhost $(HOST_DIR)/tools/describe

$(HOST_DIR)/tools/mkhost: $(wildcard src/host/mkhost/*.go src/host/internal/keep/*.go)
$(HOST_DIR)/tools/describe: $(wildcard src/host/describe/*.go)
$(HOST_TOOLS): $(HOST_DIR)/tools/%: src/host/go.mod src/host/host.mk $(GOROOT_DIR)/VERSION
	@mkdir -p $(@D)
	cd src/host && $(HOST_GO) build -trimpath -o $(abspath $@) ./$*

# The recipe of `goloader host`, for no packages but those of packages.txt.
$(HOST_FILES) &: $(HOST_SOURCES) $(HOST_TOOLS)
	GOFLAGS= $(HOST_DIR)/tools/mkhost -goroot $(GOROOT_DIR) -sources src/host -o $(HOST)
