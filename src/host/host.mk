# Builds the default host of one Go: the shared library, its description, and the list of the standard library's
# archives. The top Makefile includes this and sets GOROOT_DIR (a Go root, 1.21 or newer) and HOST_DIR (where to).
#
# Nothing is downloaded: the module has no dependencies, and the toolchain is told not to look for another one.

HOST_GO := GOROOT=$(GOROOT_DIR) GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off GO111MODULE=on CGO_ENABLED=1 GOOS= GOARCH= \
	$(GOROOT_DIR)/bin/go
HOST_SOURCES := $(wildcard src/host/go.mod src/host/*.go src/host/*.[chsS] src/host/default/*.go \
	src/host/internal/*/*.go src/host/internal/*/*.[chsS])
HOST_OUT = $(abspath $(HOST_DIR))

# Where the compiled packages of the standard library are: in Go's build cache, put there by this very command.
HOST_STD = $(HOST_GO) list -export -f '{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}' std

$(HOST_DIR)/importcfg: $(GOROOT_DIR)/VERSION src/host/host.mk
	@mkdir -p $(@D)
	$(HOST_STD) > $@.tmp
	mv $@.tmp $@

$(HOST_DIR)/tools/keep: $(wildcard src/host/keep/*.go)
$(HOST_DIR)/tools/describe: $(wildcard src/host/describe/*.go)
$(HOST_DIR)/tools/%: src/host/go.mod $(GOROOT_DIR)/VERSION
	@mkdir -p $(@D)
	cd src/host && $(HOST_GO) build -o $(HOST_OUT)/tools/$* ./$*

# The cache may have been emptied since importcfg was written, so it is filled once more before archives are read.
$(HOST_DIR)/keep_gen.go: $(HOST_DIR)/tools/keep $(HOST_DIR)/importcfg src/host/default/packages.txt
	$(HOST_STD) > /dev/null
	$(HOST_DIR)/tools/keep -importcfg $(HOST_DIR)/importcfg src/host/default/packages.txt > $@.tmp
	mv $@.tmp $@

# The generated file joins package main by way of an overlay: it is not a source, and differs from Go to Go.
$(HOST_DIR)/overlay.json: src/host/host.mk
	@mkdir -p $(@D)
	printf '{"Replace": {"%s": "%s"}}\n' $(CURDIR)/src/host/default/keep_gen.go $(HOST_OUT)/keep_gen.go > $@

# The DWARF stays in: it is not mapped, debuggers want it, and the description is made from it.
$(HOST_DIR)/libgoloader_host.so: $(HOST_SOURCES) $(HOST_DIR)/keep_gen.go $(HOST_DIR)/overlay.json
	cd src/host && $(HOST_GO) build -buildmode=c-shared -buildvcs=false -overlay $(HOST_OUT)/overlay.json \
		-o $(HOST_OUT)/libgoloader_host.so.tmp ./default
	mv $@.tmp $@

$(HOST_DIR)/libgoloader_host.so.desc: $(HOST_DIR)/libgoloader_host.so $(HOST_DIR)/tools/describe
	$(HOST_DIR)/tools/describe -goroot $(GOROOT_DIR) $< > $@.tmp
	mv $@.tmp $@
