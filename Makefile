# SPDX-License-Identifier: GPL-2.0-only
#
# Holdover's build. Everything that is made lands under build/; `make help` lists the targets.
#
# Variables, all of which may be given on the command line:
#   prefix       where programs, units and man pages go            (/usr)
#   sysconfdir   where holdover.conf goes                          (/etc)
#   DESTDIR      staging folder put in front of both               (empty)
#   V            1 shows the commands                              (quiet)
#   DEPS_DIR     folder holding the tarballs of deps/sources.list: nothing is downloaded then
#   MUSL_CC      compiler of the two static programs               (musl-gcc)
#   CC           compiler of the tests, which run against glibc    (gcc)
#   CLANG        second compiler that all code must please         (clang)
#   CFLAGS       optimisation and debug flags of the programs      (-Os -g)
#   LDFLAGS      more flags for linking the programs               (empty)
#   SIZE_MAX     bytes that a stripped program may have            (786432)
#   N            jumps of `make cycles`                              (20)
#   VERSION      version text                                      (git describe, else file VERSION)
#   MINUTES      how long each fuzzer runs in `make fuzz`          (1)
#
# Layers: deps/ gives static libraries, lib/*.c becomes build/musl/libholdover.a, and
#   build/holdover        = kexec-stage/*.c + agent/*.c without agent/main.c + lib
#   build/holdover-agent  = agent/*.c + lib
# The tests link the same sources, built with gcc, glibc and sanitizers under build/asan.

prefix ?= /usr
sysconfdir ?= /etc
DESTDIR ?=
MUSL_CC ?= musl-gcc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
CFLAGS ?= -Os -g
SIZE_MAX ?= 786432
MINUTES ?= 1
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)

export CC MUSL_CC DEPS_DIR SIZE_MAX

# as many jobs as processors, unless -j says otherwise
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

B := build

# ---- sources -----------------------------------------------------------------------------------

lib_src := $(sort $(wildcard lib/*.c))
agent_src := $(sort $(filter-out agent/main.c,$(wildcard agent/*.c)))
stage_src := $(sort $(filter-out kexec-stage/main.c,$(wildcard kexec-stage/*.c)))
main_src := $(wildcard agent/main.c kexec-stage/main.c)
test_src := $(sort $(wildcard tests/unit/*.c tests/fault/*.c))
test_mains := $(filter tests/unit/test_% tests/fault/test_%,$(test_src))
helper_mains := $(filter tests/unit/fake_% tests/fault/fake_%,$(test_src))
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))
walk_src := $(sort $(wildcard tests/fault/walk/*.c))
support_src := $(filter-out $(test_mains) $(helper_mains),$(test_src))
programs := $(patsubst agent/main.c,$(B)/holdover-agent,$(patsubst kexec-stage/main.c,$(B)/holdover,$(main_src)))

# ---- flags -------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Werror -Wmissing-prototypes -Wvla -Wundef -Wshadow
common := -std=gnu11 -D_GNU_SOURCE= -Ilib -Iagent -Ikexec-stage -ffunction-sections -fdata-sections \
	-fno-common -ffile-prefix-map=$(CURDIR)=. $(warnings) -MMD -MP
dep_libs := -lpmem -lnvdimm -ldbus-1 -lsodium -lyyjson -linih

musl_cflags := $(common) $(CFLAGS) -fstack-protector-strong -fno-asynchronous-unwind-tables \
	-Itests/unit -Itests/fault -isystem $(B)/deps/musl/include -idirafter $(B)/deps/musl/kinc
musl_ldflags := -static -Wl,--gc-sections -Wl,-z,noexecstack -Wl,--build-id=none \
	-L$(B)/deps/musl/lib $(LDFLAGS)

fault_cflags = $(musl_cflags) -DHOLDOVER_FAULTS

asan_cflags := $(common) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Itests/unit -Itests/fault -isystem $(B)/deps/glibc/include
asan_ldflags := -fsanitize=address,undefined -Wl,--gc-sections -L$(B)/deps/glibc/lib

fuzz_cflags := $(common) -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -Itests/fuzz -isystem $(B)/deps/glibc/include
fuzz_ldflags := -fsanitize=fuzzer,address,undefined -Wl,--gc-sections -L$(B)/deps/glibc/lib

clang_cflags := $(common) -O1 -gdwarf-4 -Itests/unit -Itests/fault -Itests/fuzz \
	-isystem $(B)/deps/glibc/include

# A variant's objects depend on a file that changes only when its flags do.
define flags_rule
$(B)/$(1)/.flags: FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' > $$@
endef

# ---- main targets ------------------------------------------------------------------------------

.PHONY: all deps packages check check-all check-fast demo install uninstall clean distclean format lint fuzz \
	cycles bench help tests faulty clang fuzzers fuzz-smoke valgrind FORCE

all: $(programs)

help:
	@echo 'all         build/holdover and build/holdover-agent, static and stripped'
	@echo 'demo        a real VM survives a real kexec, on a nested host, with a live account'
	@echo 'check       every test; what CI runs'
	@echo 'check-all   check, and the boot scenarios that are too long for it'
	@echo 'check-fast  the tests without virtual machines, under a minute'
	@echo 'lint        only the checks of tests/lint'
	@echo 'install     into $$DESTDIR$$prefix and $$DESTDIR$$sysconfdir; uninstall takes it away'
	@echo 'deps        fetch and build the pinned libraries'
	@echo 'packages    the Debian packages that building and testing need: install or name them'
	@echo 'format      clang-format over the C sources'
	@echo 'fuzz        each fuzzer of tests/fuzz for MINUTES minutes'
	@echo 'valgrind    the native tests under valgrind, without a finding'
	@echo 'bench       sizes and times, no verdict'
	@echo 'cycles      N jumps in a row (default 20) on one small nested host: VMs lost, doubled, failed, broken'
	@echo 'clean       remove what was built here; distclean: the libraries and images too'
	@echo
	@echo 'The variables (prefix, DESTDIR, V=1, DEPS_DIR, ...) are described at the top of Makefile.'

packages:
	$(Q)deps/packages build check demo

# ---- libraries ---------------------------------------------------------------------------------

deps: $(B)/deps/musl/.stamp $(B)/deps/glibc/.stamp

deps_inputs := deps/build deps/sources.list $(wildcard deps/shim/* deps/shim/*/*.h)

$(B)/deps/src/.stamp: deps/fetch deps/sources.list
	$(say) FETCH $(B)/deps/src
	$(Q)deps/fetch $(B)/deps/src
	@touch $@

# the second fetch only compares hashes: what is built is what was pinned, whoever touched it since
$(B)/deps/%/.stamp: $(deps_inputs) $(B)/deps/src/.stamp
	$(say) DEPS $(B)/deps/$*
	$(Q)DEPS_DIR= deps/fetch $(B)/deps/src
	$(Q)deps/build $* $(B)/deps/src $(B)/deps/$*
	@touch $@

# ---- objects: one rule a variant ---------------------------------------------------------------

objs = $(patsubst %.c,$(B)/$(1)/%.o,$(2))

$(eval $(call flags_rule,musl,$(MUSL_CC) $(musl_cflags) $(musl_ldflags)))
$(eval $(call flags_rule,asan,$(CC) $(asan_cflags) $(asan_ldflags)))
$(eval $(call flags_rule,fuzz,$(CLANG) $(fuzz_cflags) $(fuzz_ldflags)))
$(eval $(call flags_rule,fault,$(MUSL_CC) $(fault_cflags) $(musl_ldflags)))
$(eval $(call flags_rule,clang,$(CLANG) $(clang_cflags)))

$(B)/musl/%.o: %.c $(B)/musl/.flags $(B)/deps/musl/.stamp
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(musl_cflags) $(cppflags) -c $< -o $@

# the hash of a device state lies in the blackout; -Os makes XXH3 several times slower
$(B)/musl/lib/ledger_hash.o: musl_cflags += -O2

$(B)/asan/%.o: %.c $(B)/asan/.flags $(B)/deps/glibc/.stamp
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(asan_cflags) $(cppflags) -c $< -o $@

$(B)/fault/%.o: %.c $(B)/fault/.flags $(B)/deps/musl/.stamp
	$(say) FAULT $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(fault_cflags) $(cppflags) -c $< -o $@

$(B)/clang/%.o: %.c $(B)/clang/.flags $(B)/deps/glibc/.stamp
	$(say) CLANG $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(clang_cflags) $(cppflags) -c $< -o $@

$(B)/fuzz/%.o: %.c $(B)/fuzz/.flags $(B)/deps/glibc/.stamp
	$(say) FUZZ $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(fuzz_cflags) $(cppflags) -c $< -o $@

# Only what prints the version is compiled again when it changes.
version_src := $(if $(wildcard lib agent kexec-stage),$(shell grep -ls HOLDOVER_VERSION lib/*.c agent/*.c kexec-stage/*.c))
version_objs := $(foreach v,musl asan fuzz clang fault,$(call objs,$(v),$(version_src)))
$(version_objs): cppflags := -DHOLDOVER_VERSION='"$(VERSION)"'
$(version_objs): $(B)/.version
$(B)/.version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

# ---- programs ----------------------------------------------------------------------------------

$(B)/%.a:
	$(say) AR $@
	@rm -f $@
	$(Q)ar rcsD $@ $(filter %.o,$^)

$(B)/musl/libholdover.a: $(call objs,musl,$(lib_src))
$(B)/asan/libtested.a: $(call objs,asan,$(lib_src) $(agent_src) $(stage_src))
$(B)/asan/libsupport.a: $(call objs,asan,$(support_src))
$(B)/musl/libtested.a: $(call objs,musl,$(lib_src) $(agent_src) $(stage_src))
$(B)/musl/libsupport.a: $(call objs,musl,$(support_src))

define link_program
	$(say) LINK $@
	$(Q)$(MUSL_CC) -o $(B)/musl/$(@F).debug $(filter %.o %.a,$^) $(musl_ldflags) $(dep_libs)
	$(Q)objcopy --strip-all $(B)/musl/$(@F).debug $@
	$(Q)tests/lint/static $@ || { rm -f $@; exit 1; }
endef

$(B)/holdover: $(call objs,musl,kexec-stage/main.c $(stage_src) $(agent_src)) $(B)/musl/libholdover.a
	$(link_program)

$(B)/holdover-agent: $(call objs,musl,agent/main.c $(agent_src)) $(B)/musl/libholdover.a
	$(link_program)

# ---- the programs of the fault-point walk --------------------------------------------------------

# With fault points, and a region and a kernel made of files in place of the real ones. Whole files are
# left out, so that what is new in them is missed by the linker and not done to the machine of the tests.
pmem_in := lib/pmem_map.c lib/pmem_mend.c lib/pmem_block.c
walk_out := lib/kexec.c lib/kexec_freeze.c lib/daxfs_mount.c $(filter-out $(pmem_in),$(wildcard lib/pmem_*.c))
walk_mains := tests/fault/walk/qemu.c tests/fault/walk/attacker.c
walk_in := $(filter-out $(walk_mains),$(walk_src))
walk_programs := $(addprefix $(B)/fault/,holdover holdover-agent qemu attacker)

$(B)/fault/libholdover.a: $(call objs,fault,$(filter-out $(walk_out),$(lib_src)) $(walk_in))
$(B)/fault/holdover: $(call objs,fault,kexec-stage/main.c $(stage_src) $(agent_src))
$(B)/fault/holdover-agent: $(call objs,fault,agent/main.c $(agent_src))
$(B)/fault/qemu $(B)/fault/attacker: $(B)/fault/%: $(B)/fault/tests/fault/walk/%.o
walk_wraps := -Wl,--wrap=unit_related,--wrap=unit_start
$(walk_programs): $(B)/fault/libholdover.a
	$(say) LINK $@
	$(Q)$(MUSL_CC) -o $@ $(filter %.o,$^) $(B)/fault/libholdover.a $(walk_wraps) $(musl_ldflags) $(dep_libs)

# The same with the machine's own region and kernel, for boot scenarios.
faulty_programs := $(addprefix $(B)/fault/real/,holdover holdover-agent)

$(B)/fault/libreal.a: $(call objs,fault,$(lib_src) tests/fault/walk/fault.c)
$(B)/fault/real/holdover: $(call objs,fault,kexec-stage/main.c $(stage_src) $(agent_src))
$(B)/fault/real/holdover-agent: $(call objs,fault,agent/main.c $(agent_src))
$(faulty_programs): $(B)/fault/libreal.a
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) -s -o $@ $(filter %.o,$^) $(B)/fault/libreal.a $(musl_ldflags) $(dep_libs)

faulty: $(faulty_programs)

# ---- tests -------------------------------------------------------------------------------------

# A test that needs more of the linker says so on a line of its own: /* link: -Wl,--wrap=pwrite */
link_of = $(shell sed -n 's|^/\* link: \(.*\) \*/$$|\1|p' $(1))

asan_tests := $(patsubst %.c,$(B)/asan/%,$(test_mains) $(helper_mains))
musl_tests := $(patsubst %.c,$(B)/musl/%,$(test_mains) $(helper_mains))

$(asan_tests): $(B)/asan/%: $(B)/asan/%.o $(B)/asan/libsupport.a $(B)/asan/libtested.a
	$(say) LINK $@
	$(Q)$(CC) -o $@ $^ $(call link_of,$*.c) $(asan_ldflags) $(dep_libs) -lcmocka

$(musl_tests): $(B)/musl/%: $(B)/musl/%.o $(B)/musl/libsupport.a $(B)/musl/libtested.a
	$(say) LINK $@
	$(Q)$(MUSL_CC) -o $@ $^ $(call link_of,$*.c) $(musl_ldflags) $(dep_libs) -lcmocka

tests: $(asan_tests) $(musl_tests) $(walk_programs) $(faulty_programs)

clang: $(call objs,clang,$(lib_src) $(agent_src) $(stage_src) $(main_src) $(test_src) $(fuzz_src) $(walk_src))

# The same objects as programs without sanitizers, which valgrind wants.
clang_tests := $(patsubst %.c,$(B)/clang/%,$(test_mains) $(helper_mains))

$(B)/clang/libtested.a: $(call objs,clang,$(lib_src) $(agent_src) $(stage_src))
$(B)/clang/libsupport.a: $(call objs,clang,$(support_src))
$(clang_tests): $(B)/clang/%: $(B)/clang/%.o $(B)/clang/libsupport.a $(B)/clang/libtested.a
	$(say) LINK $@
	$(Q)$(CLANG) -o $@ $^ $(call link_of,$*.c) -L$(B)/deps/glibc/lib $(dep_libs) -lcmocka

valgrind: $(clang_tests)
	$(Q)tests/valgrind/run $(patsubst %.c,$(B)/clang/%,$(test_mains))

fuzzers := $(patsubst %.c,$(B)/fuzz/%,$(fuzz_src))

$(B)/fuzz/libtested.a: $(call objs,fuzz,$(lib_src) agent/params.c kexec-stage/entry.c)

$(fuzzers): $(B)/fuzz/%: $(B)/fuzz/%.o $(B)/fuzz/libtested.a
	$(say) LINK $@
	$(Q)$(CLANG) -o $@ $^ $(fuzz_ldflags) $(dep_libs)

# The packages come first and alone: nothing may be compiled before they are there.
check: packages
	+$(Q)tests/check all

check-fast: packages
	+$(Q)tests/check fast

lint: packages
	+$(Q)tests/check lint

demo: packages
	$(Q)$(MAKE) all
	$(Q)tests/boot/demo

fuzz: $(fuzzers)
	$(Q)tests/fuzz/run $(MINUTES) $(fuzzers)

fuzzers: $(fuzzers)

fuzz-smoke: $(fuzzers)
	$(Q)tests/fuzz/run smoke $(fuzzers)

# Every boot scenario, also those that do not fit into CI's time.
check-all: packages
	+$(Q)BOOT_ARGS=--all BOOT_TIMEOUT=7200 SYSTEMD_SUITES="trixie bookworm testing" tests/check all

cycles: packages
	$(Q)$(MAKE) all
	$(Q)tests/boot/cycles -n $(or $(N),20)

bench: all
	$(Q)tests/bench/run

format:
	$(Q)clang-format -i $(wildcard lib/*.[ch] agent/*.[ch] kexec-stage/*.[ch] deps/shim/*.[ch] deps/shim/uuid/*.h \
		tests/unit/*.[ch] tests/fault/*.[ch] tests/fault/*/*.[ch] tests/fuzz/*.[ch] tests/boot/*.[ch] tests/boot/*/*.[ch])

# ---- install -----------------------------------------------------------------------------------

sbindir := $(prefix)/sbin
libexecdir := $(prefix)/lib/holdover
moddir := $(prefix)/lib/dracut/modules.d/50holdover
unitdir := $(prefix)/lib/systemd/system
docdir := $(prefix)/share/doc/holdover
mandir := $(prefix)/share/man
confdir := $(sysconfdir)/holdover

# FILE:FOLDER:MODE, for install and uninstall alike
module_files := $(wildcard dracut-module/50holdover/*)
units := $(wildcard config/*.service config/*.target config/*.path config/*.socket config/*.timer)
dropins := $(wildcard config/*.service.d/*.conf config/*.slice.d/*.conf)
mans := $(foreach s,5 7 8,$(wildcard config/*.$(s) kexec-stage/*.$(s) agent/*.$(s) dracut-module/*.$(s)))
examples := $(filter-out $(units) $(dropins) $(mans) config/holdover.conf,$(shell find config -type f 2>/dev/null | sort))

install_list := $(B)/holdover:$(sbindir):755 $(B)/holdover-agent:$(libexecdir):755 \
	$(foreach f,$(module_files),$(f):$(moddir):$(if $(filter %.sh,$(f)),755,644)) \
	$(foreach f,$(units),$(f):$(unitdir):644) \
	$(foreach f,$(dropins),$(f):$(unitdir)/$(notdir $(patsubst %/,%,$(dir $(f)))):644) \
	$(foreach f,$(mans),$(f):$(mandir)/man$(patsubst .%,%,$(suffix $(f))):644) \
	$(foreach f,$(examples),$(f):$(patsubst %/,%,$(dir $(docdir)/examples/$(patsubst config/%,%,$(f)))):644) \
	$(foreach f,$(wildcard README.md LICENSE),$(f):$(docdir):644)

install: all
	$(Q)set -e; for entry in $(install_list); do \
		IFS=: read -r file dir mode <<< "$$entry"; \
		install -D -p -m "$$mode" "$$file" "$(DESTDIR)$$dir/$${file##*/}"; \
	done
	$(Q)install -d -m 755 $(DESTDIR)$(confdir) $(DESTDIR)$(confdir)/vms.d
	$(Q)if [ -e $(DESTDIR)$(confdir)/holdover.conf ]; then \
		echo 'install: $(DESTDIR)$(confdir)/holdover.conf is there already and stays as it is'; \
	elif [ -f config/holdover.conf ]; then \
		install -m 644 config/holdover.conf $(DESTDIR)$(confdir)/holdover.conf; \
	fi

uninstall:
	$(Q)for entry in $(install_list); do \
		IFS=: read -r file dir mode <<< "$$entry"; \
		rm -f "$(DESTDIR)$$dir/$${file##*/}"; \
		case $$dir in */*holdover*) rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$dir" 2>/dev/null ;; esac; \
	done
	$(Q)if cmp -s config/holdover.conf $(DESTDIR)$(confdir)/holdover.conf; then \
		rm -f $(DESTDIR)$(confdir)/holdover.conf; \
	elif [ -e $(DESTDIR)$(confdir)/holdover.conf ]; then \
		echo 'uninstall: $(DESTDIR)$(confdir)/holdover.conf was changed and stays'; \
	fi
	$(Q)for dir in $(docdir)/examples $(docdir) $(confdir)/vms.d $(confdir); do \
		rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$dir" 2>/dev/null || true; done

install uninstall: SHELL := /bin/bash

clean:
	rm -rf $(B)/holdover $(B)/holdover-agent $(B)/musl $(B)/asan $(B)/clang $(B)/fuzz $(B)/fault $(B)/results $(B)/.version

distclean:
	rm -rf $(B)

-include $(shell find $(B)/musl $(B)/asan $(B)/fuzz $(B)/fault $(B)/clang -name '*.d' 2>/dev/null)
