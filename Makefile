# goloader's build. `make run` shows it at work, `make test` proves it; both install what the machine lacks.
#
#   make [GO=GOROOT]          build everything into build/, for the Go given or found
#   make run                  the example: a shop's category page
#   make nginx [EXAMPLE=name] an example in nginx, in the foreground: listpage, gateway, handler
#   make test                 every test; the last line is "N passed, N failed"
#   make lint                 formatters and linters
#   make fuzz [FUZZ_TIME=s]   hostile files for every reader, with clang's sanitizers
#   make sanitize             the tests of C rooms with the compiler's address and undefined behaviour sanitizers
#   make bench [FIGURES=name] figures, into build/bench.json
#   make soak [CALLS=1e9] [CYCLES=20000]
#                             calls of every kind, and loads and unloads; fails when resident memory grows
#   make soak-unload [UNLOADS=100000] [SEED=n]
#                             unloads amidst random graphs of what holds modules, from three threads
#   make soak-swaps [SECONDS=600]
#                             modules swapped ten times a second while three Lua states call them: their own, and one
#                             that they share
#   make soak-abuse [SECONDS=600] [SEED=n]
#                             all that Lua can call, called in every wrong way
#   make soak-types [SECONDS=600] [SEED=n]
#                             values of random Go types, there and back by every way
#   make conformance [GO=GOROOT] [TESTS=glob] [FLAGS=sets] [JOBS=n]
#   make conformance-all [GOS='GOROOT|VERSION…'] [FLAGS=sets]
#   make packages [SUITES=names] [FLAGS=set] [RESUME=1] [JOBS=n]
#                             packages' own tests, natively and through goloader test, into spec/conformance/packages.md
#   make install              what `luarocks make` calls; LUADIR, LIBDIR and BINDIR say where to, and SHAREDIR where the
#                             manual page and what shells complete go
#   make deb                  a Debian package, into build/deb
#   make deps, make clean

ifeq ($(GO),)
override GO := $(shell .ci/goroot 2>/dev/null)
endif
GOROOT_DIR := $(GO)
GO_VERSION := $(shell head -n 1 $(GO)/VERSION 2>/dev/null)
HOST_DIR := build/host/$(GO_VERSION)
host_of = $(CURDIR)/build/host/$(shell head -n 1 $(1)/VERSION)/libgoloader_host.so

CC ?= gcc
LUAJIT ?= luajit
LUA_PC := $(shell pkg-config --exists luajit2 2>/dev/null && echo luajit2 || echo luajit)
LUAJIT_CFLAGS := $(shell pkg-config --cflags $(LUA_PC) 2>/dev/null)
LUA_CFLAGS := $(LUAJIT_CFLAGS)
LUA_LIBS := $(shell pkg-config --libs $(LUA_PC) 2>/dev/null)
LIB_CFLAGS := $(shell pkg-config --cflags libelf capstone libsodium 2>/dev/null)
LIBS := $(shell pkg-config --libs libelf libsodium 2>/dev/null) -ldl -lpthread

# LUA_INCDIR: the headers of another Lua, for which core.so is made too, as LuaRocks wants it. LUA is that Lua's program.
ifneq ($(LUA_INCDIR),)
ifeq ($(wildcard $(LUA_INCDIR)/lua.h),)
$(error LUA_INCDIR=$(LUA_INCDIR) has no lua.h: install the headers of that Lua, or name the directory that has them)
endif
FOR_LUA := $(shell n=$$(printf '\043include "lua.h"\nLUA_VERSION_NUM\n' | $(CC) -E -P -I$(LUA_INCDIR) -x c - | tail -n 1); \
	echo "$$((n / 100)).$$((n % 100))")
LUA_SAYS := $(if $(LUA),$(shell $(LUA) -e 'io.write(_VERSION:match "[0-9.]+")'),$(FOR_LUA))
ifneq ($(FOR_LUA),$(LUA_SAYS))
$(error LUA_INCDIR=$(LUA_INCDIR) has the headers of Lua $(FOR_LUA), but $(LUA) is Lua $(LUA_SAYS))
endif
# LuaJIT's own, whatever else it is called for
ifneq ($(wildcard $(LUA_INCDIR)/luajit.h),)
LUA_CFLAGS := -I$(LUA_INCDIR)
FOR_LUA :=
endif
endif

CFLAGS ?= -O2 -g
# The rooms call each other for every relocation: across files too, the compiler shall see what it can inline.
LTO := $(if $(shell $(CC) --version 2>/dev/null | grep -i 'free software foundation'),-flto=auto -ffat-lto-objects)
GL_CFLAGS = -std=c11 -D_GNU_SOURCE -fPIC -Wall -Wextra -Werror $(CFLAGS) $(LTO) -Isrc $(LUA_CFLAGS) $(LIB_CFLAGS)

SOURCES := $(wildcard src/*.c src/*/*.c src/*/*/*.c src/*/*.S)
# src/host is Go's: a C file there belongs to its package and is compiled by go build
LIB_SOURCES := $(filter-out src/binding/% src/cmd/% src/host/%,$(SOURCES))
BINDING_SOURCES := $(filter src/binding/%,$(SOURCES))
object = $(patsubst src/%,build/obj/%.o,$(1))
LIB_OBJECTS := $(call object,$(LIB_SOURCES))
BINDING_OBJECTS := $(call object,$(BINDING_SOURCES))
C_TESTS := $(patsubst spec/c/%.c,build/spec/%,$(wildcard spec/c/*_test.c))
HEADERS := $(wildcard src/*.h src/*/*.h src/*/*/*.h)

.DELETE_ON_ERROR:
.PHONY: all core share host default-host plain-luas deps run nginx test c-tests run-tests lint bench bench-nginx soak soak-nginx \
	soak-unload soak-swaps soak-abuse soak-types sanitize conformance conformance-all packages fuzz run-fuzz rock install \
	deb clean

all: core default-host share

# The library for the Lua that is asked for.
CORE := $(if $(FOR_LUA),build/lua$(FOR_LUA)/goloader/core.so,build/lib/goloader/core.so)

core: build/lib/libgoloader.a build/lib/goloader/core.so $(CORE) build/bin/goloader

# Beyond this point a Go toolchain is needed; without one (before `make deps`) only C is built.
ifneq ($(GO_VERSION),)
HOST := $(HOST_DIR)/libgoloader_host.so
HOST_FILES := $(addprefix $(HOST),.desc .importcfg .goroot) $(HOST)

include src/host/host.mk

# The Go halves: of http.Handlers in nginx (src/host/bridge), of goloader serve, goloader.profile and goloader.dump, and
# what describes modules to editors (src/host/definitions); made here, so that where goloader is installed no Go is
# needed for them.
HALVES := $(HOST).bridge.gom $(HOST).serve.gom $(HOST).profile.gom $(HOST).dump.gom $(HOST).definitions.gom

$(HOST).bridge.gom: $(wildcard src/host/bridge/*.go)
$(HOST).serve.gom: $(wildcard src/host/serve/*.go)
$(HOST).profile.gom: $(wildcard src/host/profile/*.go)
$(HOST).dump.gom: $(wildcard src/host/dump/*.go)
$(HOST).definitions.gom: $(wildcard src/host/definitions/*.go)
$(HALVES): $(HOST).%.gom: $(HOST_FILES) | core
	GOLOADER_HOST=$(abspath $(HOST)) build/bin/goloader build -o $@ \
		-gcflags='goloader.dev/host/...=-trimpath=$(CURDIR)/src/host=>goloader.dev/host' src/host/$*

host: $(HOST_FILES) $(HALVES)

default-host: host
	ln -sfn $(GO_VERSION) build/host/default
else
host default-host:
	@.ci/goroot
endif

build/obj/cmd/%: LUA_CFLAGS := $(LUAJIT_CFLAGS)

build/obj/%.c.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(GL_CFLAGS) -MMD -MP -c $< -o $@

build/obj/%.S.o: src/%.S Makefile
	@mkdir -p $(@D)
	$(CC) $(GL_CFLAGS) -MMD -MP -c $< -o $@

build/lib/libgoloader.a: $(LIB_OBJECTS)
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

# Lua's own symbols come from the program that loads it. The library stays when that closes its Lua state: the Go runtime
# does too, and another state finds it again.
#
# It is written beside its place and moved there: a process that starts meanwhile finds the old one, and not half of it.
LINK_CORE = $(CC) $(CFLAGS) $(LTO) -fPIC -shared -Wl,-z,nodelete -Wl,--exclude-libs,ALL -o $@.new $^ $(LIBS) $(LDFLAGS) \
	&& mv $@.new $@

# Its symbols are hidden, but for the names that gdb looks up.
GDB_OBJECT := build/obj/debug/gdb.c.o

build/lib/goloader/core.so: $(BINDING_OBJECTS) $(GDB_OBJECT) build/lib/libgoloader.a
	@mkdir -p $(@D)
	$(LINK_CORE)

# The same for plain Lua, as tests and LuaRocks want it: what includes Lua's headers is compiled for each version.
PLAIN_LUAS := 5.1 5.3 5.4
lua_object = $(patsubst build/obj/%,build/lua$(1)/obj/%,$(BINDING_OBJECTS) $(filter build/obj/call/%,$(LIB_OBJECTS)))

define plain_lua
build/lua$(1)/obj/%: LUA_CFLAGS := $(if $(filter $(1),$(FOR_LUA)),-I$(LUA_INCDIR),$(shell pkg-config --cflags lua$(1) 2>/dev/null))

build/lua$(1)/obj/%.c.o: src/%.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(GL_CFLAGS) -MMD -MP -c $$< -o $$@

build/lua$(1)/goloader/core.so: $(call lua_object,$(1)) $(GDB_OBJECT) build/lib/libgoloader.a
	@mkdir -p $$(@D)
	$$(LINK_CORE)

-include $(patsubst %.o,%.d,$(call lua_object,$(1)))
endef
$(foreach version,$(sort $(PLAIN_LUAS) $(FOR_LUA)),$(eval $(call plain_lua,$(version))))

plain-luas: $(PLAIN_LUAS:%=build/lua%/goloader/core.so)

build/bin/goloader: build/obj/cmd/goloader.c.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -rdynamic -o $@ $< $(LUA_LIBS) $(LDFLAGS)

# The manual page, and what shells complete: of the table that the command line itself is made of.
SHARED := man/man1/goloader.1 bash-completion/completions/goloader zsh/site-functions/_goloader \
	fish/vendor_completions.d/goloader.fish
build/share/man/%: SHARE := help --man
build/share/bash-completion/%: SHARE := completion bash
build/share/zsh/%: SHARE := completion zsh
build/share/fish/%: SHARE := completion fish

$(SHARED:%=build/share/%): $(wildcard lua/goloader/command/*.lua) lua/goloader/cli.lua | core
	@mkdir -p $(@D)
	build/bin/goloader $(SHARE) > $@

share: $(SHARED:%=build/share/%)

build/spec/%_test: spec/c/%_test.c build/lib/libgoloader.a Makefile
	@mkdir -p $(@D)
	$(CC) $(GL_CFLAGS) -MMD -MP -o $@ $< build/lib/libgoloader.a $(LIBS) -lcmocka

-include $(patsubst %.o,%.d,$(LIB_OBJECTS) $(BINDING_OBJECTS)) build/obj/cmd/goloader.c.d $(addsuffix .d,$(C_TESTS))

deps:
	@.ci/deps

# As many jobs as there are cores, where nobody has said how many.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# What deps installs decides how the rest of this file is read, so these start make anew after it.
run: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@$(LUAJIT) spec/env.lua examples/listpage/main.lua

EXAMPLE ?= listpage
nginx: deps
	@.ci/deps test
	@$(MAKE) --no-print-directory all
	@examples/nginx.sh $(EXAMPLE) $(PORT)

# ALSO: more Go roots; the specs run on their hosts too. SAMPLED: more of them; of Go's own programs a few run there.
# CONFORMANCE=all: on the Go at hand all of those run.
test: deps
	@.ci/deps test
	@$(MAKE) --no-print-directory $(PARALLEL) all c-tests plain-luas
	@for root in $(ALSO) $(SAMPLED); do $(MAKE) --no-print-directory $(PARALLEL) GO=$$root host || exit; done
	@$(MAKE) --no-print-directory run-tests

c-tests: $(C_TESTS)

run-tests:
	@GOROOT_DIR=$(GOROOT_DIR) GOLOADER_ALSO="$(foreach root,$(ALSO),$(call host_of,$(root)))" \
		GOLOADER_SAMPLED="$(ALSO) $(SAMPLED)" CONFORMANCE=$(CONFORMANCE) \
		$(LUAJIT) spec/env.lua spec/run.lua $(SPECS)

bench: deps
	@$(MAKE) --no-print-directory all
	@GO=$(GOROOT_DIR) $(LUAJIT) spec/env.lua spec/bench/run.lua $(FIGURES)

# WORKERS=2: nginx with two workers; FIGURES as for bench.
bench-nginx: deps
	@.ci/deps test
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/nginx.lua $(FIGURES)

SECONDS ?= 600
soak-nginx: deps
	@.ci/deps test
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/nginx_soak.lua $(SECONDS)

CALLS ?= 1e9
CYCLES ?= 20000
soak: deps
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/cycles.lua $(CYCLES)
	@$(LUAJIT) spec/env.lua spec/bench/soak.lua $(CALLS)

UNLOADS ?= 100000
soak-unload: deps
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/truth.lua $(UNLOADS) $(SEED)

soak-swaps: deps
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/swaps.lua $(SECONDS)
	@$(LUAJIT) spec/env.lua spec/bench/shared_swaps.lua $(SECONDS)

soak-abuse: deps
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/abuse.lua $(SECONDS) $(SEED)

soak-types: deps
	@$(MAKE) --no-print-directory all
	@$(LUAJIT) spec/env.lua spec/bench/types.lua $(SECONDS) $(SEED)

conformance: deps
	@$(MAKE) --no-print-directory core host
	@GO=$(GOROOT_DIR) TESTS='$(TESTS)' FLAGS='$(FLAGS)' JOBS='$(JOBS)' spec/conformance/run

conformance-all: deps
	@GOS='$(GOS)' TESTS='$(TESTS)' FLAGS='$(FLAGS)' JOBS='$(JOBS)' spec/conformance/run-all

packages: deps
	@$(MAKE) --no-print-directory all
	@GOROOT_DIR=$(GOROOT_DIR) FLAGS='$(FLAGS)' RESUME='$(RESUME)' JOBS='$(JOBS)' \
		$(LUAJIT) spec/env.lua spec/conformance/packages.lua $(SUITES)

# The tests of C rooms once more, with the compiler's sanitizers: what can run without a Go runtime. One of them reads the
# description of the default host.
SANITIZERS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZED := $(patsubst src/%,build/sanitize/obj/%.o,$(LIB_SOURCES))
SANITIZED_TESTS := $(C_TESTS:build/spec/%=build/sanitize/%)

build/sanitize/obj/%.o: src/% Makefile
	@mkdir -p $(@D)
	$(CC) $(filter-out $(LTO),$(GL_CFLAGS)) $(SANITIZERS) -MMD -MP -c $< -o $@

build/sanitize/libgoloader.a: $(SANITIZED)
	rm -f $@
	$(AR) rcs $@ $^

build/sanitize/%_test: spec/c/%_test.c build/sanitize/libgoloader.a Makefile
	$(CC) $(filter-out $(LTO),$(GL_CFLAGS)) $(SANITIZERS) -MMD -MP -o $@ $< build/sanitize/libgoloader.a $(LIBS) -lcmocka

-include $(SANITIZED:.o=.d) $(addsuffix .d,$(SANITIZED_TESTS))

sanitize: $(SANITIZED_TESTS) | default-host
	@for test in $^; do echo "$$test" && $$test || exit; done

# Each reader of files meets hostile ones for FUZZ_TIME seconds; what it has learned stays in build/fuzz.
FUZZ_TIME ?= 60
FUZZERS := $(patsubst spec/fuzz/%.c,build/fuzz/%,$(wildcard spec/fuzz/*_fuzz.c))
# All but what reads the host.
FUZZED := $(filter-out src/disasm/refer.c,$(wildcard src/object/*.c src/abi/*.c src/disasm/*.c)) src/error.c src/grow.c

build/fuzz/%_fuzz: spec/fuzz/%_fuzz.c $(FUZZED) $(HEADERS) $(wildcard spec/fuzz/*.h) Makefile
	@mkdir -p $(@D)
	clang $(filter-out $(LTO),$(GL_CFLAGS)) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $< $(FUZZED) $(LIBS)

# The linker, with a host and C parts that the test makes up.
LINKED := $(filter-out src/link/clib%,$(wildcard src/link/*.c)) src/debug/variables.c

build/fuzz/link_fuzz: FUZZED += $(LINKED)
build/fuzz/link_fuzz: $(LINKED)

build/fuzz/seeds: spec/fuzz/seed.go $(wildcard spec/fuzz/link/*) $(HOST_FILES) | core
	@mkdir -p $@/object $@/desc $@/gom $@/prove $@/link
	$(GOROOT_DIR)/bin/go tool compile -p seed -o $@/object/seed.a -linkobj $@/object/seed.o $<
	$(GOROOT_DIR)/bin/go tool compile -p seed -o $@/object/whole.a $<
	cd spec/testdata/cgo && CGO_CFLAGS=-O1 $(GOROOT_DIR)/bin/go build -buildmode=archive -o $(abspath $@)/object/cgo.a ./counter
	cp $(HOST_DIR)/libgoloader_host.so.desc $@/desc
	GOLOADER_HOST=$(HOST_DIR)/libgoloader_host.so build/bin/goloader build -o $@/seed.gom $<
	tail -n +2 $@/seed.gom > $@/gom/seed
	rm -f $@/key.key $@/key.pub && build/bin/goloader keygen -o $@/key > $@/gom/keygen
	cp $@/key.key $@/gom/secret && cp $@/key.pub $@/gom/public
	build/bin/goloader sign -k $@/key.key -o $@/gom/signed $@/seed.gom > $@/gom/sign
	objcopy -O binary --only-section=.text $(HOST_DIR)/libgoloader_host.so $@/text
	head -c 600000 $@/text | split -b 1500 - $@/prove/code
	rm $@/text
	GO=$(GOROOT_DIR) spec/fuzz/link/seeds $@/link
	touch $@

fuzz: deps
	@.ci/deps fuzz
	@$(MAKE) --no-print-directory run-fuzz

run-fuzz: build/fuzz/seeds $(FUZZERS)
	@for name in $(patsubst build/fuzz/%_fuzz,%,$(FUZZERS)); do \
		echo "fuzzing $$name for $(FUZZ_TIME) s" && mkdir -p build/fuzz/found/$$name && \
		build/fuzz/$${name}_fuzz -max_total_time=$(FUZZ_TIME) -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=build/fuzz/$$name- build/fuzz/found/$$name build/fuzz/seeds/$$name \
			|| exit; done

lint:
	@.ci/deps lint
	@$(MAKE) --no-print-directory all
	@.ci/lint "$(filter-out $(LTO),$(GL_CFLAGS))" "$(GOROOT_DIR)"

# As `luarocks make` calls it; without LuaRocks into /usr/local.
LUADIR ?= /usr/local/share/lua/5.1
LIBDIR ?= /usr/local/lib/lua/5.1
BINDIR ?= /usr/local/bin
VERSION := dev
# LuaRocks moves what it was given, and has no place for the manual page; it shows what is in DOCDIR.
SHAREDIR ?= $(if $(findstring command,$(origin LUADIR)),,/usr/local/share)

DOCS := README.md LICENSE rockspec/CHANGELOG.md src/call/TYPES.md lua/goloader/routes/README.md $(wildcard examples/*.md)

rock: core default-host share

install: rock
	install -d $(DESTDIR)$(LIBDIR)/goloader/host/tools $(DESTDIR)$(BINDIR)
	cd lua/goloader && find . -name '*.lua' -exec install -D -m 644 {} $(abspath $(DESTDIR)$(LUADIR))/goloader/{} \;
	sed -i 's/^  version = "dev"/  version = "$(VERSION)"/' $(DESTDIR)$(LUADIR)/goloader/init.lua
	install -m 755 $(CORE) $(DESTDIR)$(LIBDIR)/goloader
	$(if $(filter-out 5.1,$(FOR_LUA)),install -D -m 755 build/lib/goloader/core.so \
		$(DESTDIR)$(LIBDIR)/goloader/luajit/goloader/core.so)
	install -m 755 build/bin/goloader $(DESTDIR)$(LIBDIR)/goloader/launcher
	install -m 644 $(HOST_FILES) $(HALVES) $(DESTDIR)$(LIBDIR)/goloader/host
	rm -rf $(DESTDIR)$(LIBDIR)/goloader/host/$(notdir $(HOST)).archives
	cp -r --no-preserve=mode $(HOST).archives $(DESTDIR)$(LIBDIR)/goloader/host
	install -m 755 $(HOST_TOOLS) $(DESTDIR)$(LIBDIR)/goloader/host/tools
	cd src/host && find . -type f ! -name '*_test.go' ! -name '*.mk' \
		-exec install -D -m 644 {} $(abspath $(DESTDIR)$(LIBDIR))/goloader/host/src/{} \;
	sed 's|@VERSION@|$(or $(FOR_LUA),5.1)|; s|@LUADIR@|$(LUADIR)|; s|@LIBDIR@|$(LIBDIR)|' lua/bin/goloader.lua \
		>build/bin/installed.lua
	(cat build/bin/goloader build/bin/installed.lua && printf '%016dgoloader program' $$(wc -c <build/bin/installed.lua)) \
		>$(DESTDIR)$(BINDIR)/goloader
	chmod 755 $(DESTDIR)$(BINDIR)/goloader
	$(if $(DOCDIR),for file in $(DOCS); do install -D -m 644 $$file $(DESTDIR)$(DOCDIR)/$$file || exit; done)
	$(if $(SHAREDIR),cd build/share && \
		for file in $(SHARED); do install -D -m 644 $$file $(DESTDIR)$(SHAREDIR)/$$file || exit; done)

# A Debian package of what is built, with the host of the Go at hand, into build/deb. Its tree is this one by links, so that
# nothing is compiled again; what is written there is none.
DEB_TREE := build/deb/goloader
deb:
	@.ci/deps deb
	@$(MAKE) --no-print-directory all
	rm -rf build/deb && mkdir -p $(DEB_TREE)/build/host
	cp -al .ci src lua examples rockspec Makefile README.md LICENSE $(DEB_TREE)
	cp -a build/bin build/share $(DEB_TREE)/build
	cp -al build/obj build/lib $(DEB_TREE)/build
	cp -al $(HOST_DIR) $(DEB_TREE)/build/host
	cp -r rockspec/debian $(DEB_TREE)/debian
	cd $(DEB_TREE) && GO=$(GOROOT_DIR) dpkg-buildpackage -b -us -uc

clean:
	rm -rf build
