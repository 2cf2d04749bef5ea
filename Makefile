# brig: an OCI container runtime.  GNU make, no configure step; `make help` tells the targets.
#
# Objects stand in build/<flavour>/, programs of the plain flavour in build/bin/:
#   make            plain    what is installed
#   make SAN=1      san      AddressSanitizer and UndefinedBehaviorSanitizer, no recovery
#   make FAULT=1    fault    -DBRIG_FAULT: a named step can be told to fail (tests/fault)
#   make COV=1      cov      gcov counters
# CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR are honoured; V=1 shows commands; WERROR=1 makes
# warnings errors; STATIC_LIBS=0 links yajl, cap, seccomp and md as shared libraries; STATIC=0 keeps
# libc shared (docs/benchmarks.md tells what linking all of brig statically gains and costs).

MAKEFLAGS += --no-builtin-rules
# As many compilers as there are processors, unless -j says otherwise (make shows it to children only).
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% j%,$(shell ps -o args= -p $$PPID 2>/dev/null)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/brig
MANDIR ?= $(PREFIX)/share/man
VERSION := 0.1.0
COMMIT := $(or $(shell git describe --always --dirty --exclude='*' 2>/dev/null),unknown)
V ?= 0
SAN ?= 0
FAULT ?= 0
COV ?= 0
WERROR ?= 0
STATIC_LIBS ?= 1
STATIC ?= 1

ifeq ($(SAN),1)
FLAVOUR := san
else ifeq ($(FAULT),1)
FLAVOUR := fault
else ifeq ($(COV),1)
FLAVOUR := cov
else
FLAVOUR := plain
endif
# FLAVOUR_SUFFIX keeps another compiler's objects apart (tests/lint).
B := build/$(FLAVOUR)$(FLAVOUR_SUFFIX)
BIN := $(if $(filter build/plain,$(B)),build/bin,$(B)/bin)

ifeq ($(V),1)
Q :=
say := @:
else
Q := @
say := @printf '  %-8s %s\n'
endif

# --- Flags ------------------------------------------------------------------------------

# What this compiler accepts is asked once per compiler, by tests/lib/probe-flags.
# A table row names only what it has: the rest is zero.
WARN := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wwrite-strings -Wcast-qual \
	-Wpointer-arith -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference -Wconversion -Wno-sign-conversion -Wswitch-enum
WARN_PROBED := -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
	-Wformat-overflow=2 -Walloc-zero -Wtrampolines -Wbidi-chars=any -Wcomma \
	-Wconditional-uninitialized -Wunreachable-code-aggressive
HARDEN_PROBED := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-mbranch-protection=standard -fno-strict-overflow -fno-delete-null-pointer-checks \
	-ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
LINK_PROBED := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed \
	-Wl,-z,separate-code -Wl,--hash-style=gnu

PROBE_MK := build/probe/$(subst /,_,$(subst $() ,_,$(CC))).mk
NO_BUILD_GOALS := clean help fmt dist uninstall
ifneq ($(filter-out $(NO_BUILD_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(PROBE_MK)
endif
$(PROBE_MK): tests/lib/probe-flags Makefile
	@mkdir -p $(@D)
	@tests/lib/probe-flags "$(CC)" WARN_CC $(WARN_PROBED) >$@
	@tests/lib/probe-flags "$(CC)" HARDEN_CC $(HARDEN_PROBED) >>$@
	@tests/lib/probe-flags "$(CC)" HARDEN_LD $(LINK_PROBED) >>$@

CFLAGS ?= $(if $(filter 1,$(SAN)),-O1,-O2) -g
STD := -std=gnu17 -D_GNU_SOURCE -I. -Ilibcontainer
BASE_CFLAGS := $(STD) $(WARN) $(WARN_CC)
ifeq ($(WERROR),1)
BASE_CFLAGS += -Werror
endif
# The sanitizers look at every access themselves, and _FORTIFY_SOURCE hides calls from them.
ifeq ($(SAN),1)
FLAVOUR_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR_LDFLAGS := -fsanitize=address,undefined
else ifeq ($(COV),1)
FLAVOUR_CFLAGS := -O0 --coverage -DBRIG_COVERAGE
FLAVOUR_LDFLAGS := --coverage
else
FLAVOUR_CFLAGS := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN_CC) -fPIE
FLAVOUR_LDFLAGS := -pie $(HARDEN_LD)
endif
ifeq ($(FAULT),1)
FLAVOUR_CFLAGS += -DBRIG_FAULT
endif

LIBS_PC := yajl libcap libseccomp libmd
LIBS_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS_PC) libmnl 2>/dev/null)
# Each shared library costs about 0.1 ms at every start, so the archives are taken where the
# distribution has them.  libmnl is loaded only by who needs it, never linked.
static_lib = $(filter /%,$(shell $(CC) -print-file-name=$(1)))
ARCHIVES := $(foreach a,libyajl_s.a libcap.a libseccomp.a libmd.a,$(call static_lib,$(a)))
ifeq ($(STATIC_LIBS)$(words $(ARCHIVES)),14)
LIBS := $(ARCHIVES)
else
LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS_PC) 2>/dev/null || echo -lyajl -lcap -lseccomp -lmd)
endif

COMPILE = $(CC) $(BASE_CFLAGS) $(FLAVOUR_CFLAGS) $(LIBS_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(CFLAGS) $(FLAVOUR_LDFLAGS) $(LDFLAGS)
# The runtime itself is linked as a whole where all archives are there: 0.15 ms less at each start
# and 0.7 MiB less memory (docs/benchmarks.md).  libmnl has no archive and is loaded by the few
# who need it (dlopen), which ties such a brig to the glibc of the machine it was built on.  The linker
# warns of that; its own switch against warnings would also hide what is undefined.
ifeq ($(FLAVOUR)$(STATIC_LIBS)$(if $(filter-out 0,$(STATIC)),$(words $(ARCHIVES) $(call static_lib,libc.a))),plain15)
LINK_BRIG = $(subst -pie,-static-pie,$(LINK))
else
LINK_BRIG = $(LINK)
endif

# --- Sources ----------------------------------------------------------------------------

comma := ,
STUB_SRC := $(wildcard libcontainer/run/stub/stub.c)
LIB_SRC := $(filter-out libcontainer/run/stub/% libcontainer/net/table/% libcontainer/guard/levelc/main.c,\
	$(sort $(shell find libcontainer specs -name '*.c' 2>/dev/null)))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(if $(STUB_SRC),$(B)/libcontainer/run/stub/image.o) \
	$(B)/net_table.o $(B)/levels.o $(B)/guard/level_filter_data.o
LIB := $(B)/libbrig.a
BRIG_SRC := $(sort $(wildcard cmd/brig/*.c))
BRIG_OBJ := $(BRIG_SRC:%.c=$(B)/%.o)
SYSTEMD_SRC := $(sort $(wildcard cmd/brig-systemd/*.c))
SYSTEMD_OBJ := $(SYSTEMD_SRC:%.c=$(B)/%.o)
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
PROGRAMS := $(if $(BRIG_SRC),$(BIN)/brig)
ifneq ($(SYSTEMD_SRC),)
ifeq ($(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo yes),yes)
PROGRAMS += $(BIN)/brig-systemd
else
$(info brig-systemd is left out: pkg-config finds no libsystemd; the systemd cgroup driver needs it)
endif
endif

.PHONY: all
all: $(LIB) $(PROGRAMS)

# $(B)/flags changes when the commands do, and everything is made again.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(COMPILE) $(LINK_BRIG) $(LIBS))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(COMPILE) $(LINK_BRIG) $(LIBS))' >$@
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c $(B)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# What main.c prints for --version; a new commit makes only that file again.
$(B)/cmd/brig/%.o: private CPPFLAGS += -DBRIG_VERSION='"$(VERSION)"' -DBRIG_COMMIT='"$(COMMIT)"' \
	-DBRIG_LIBEXECDIR='"$(LIBEXECDIR)"'
$(B)/cmd/brig/main.o: $(B)/commit
$(B)/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT) $(LIBEXECDIR)' | cmp -s - $@ || echo '$(COMMIT) $(LIBEXECDIR)' >$@

# Appended, not replaced: two rooms may have a file of the same name.
$(LIB): $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) qcs $@ $(LIB_OBJ)

$(BIN)/brig: $(BRIG_OBJ) $(LIB) $(B)/flags
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK_BRIG) -o $@ $(BRIG_OBJ) $(LIB) $(LIBS) 2>$(B)/link.log || { cat $(B)/link.log; exit 1; }

$(BIN)/brig-systemd: $(SYSTEMD_OBJ) $(LIB) $(B)/flags
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(SYSTEMD_OBJ) $(LIB) $(LIBS) $(shell $(PKG_CONFIG) --libs libsystemd)

# --- The stub: a freestanding program inside the library ---------------------------------

# It runs before anything is set up for C, so no sanitizer, no stack protector, no libc.
STUB := $(B)/stub.elf
STUB_LDS := $(wildcard libcontainer/run/stub/stub.ld)
# Its entry points are named by assembler only, so they have no prototype.
STUB_CFLAGS := $(STD) $(WARN) -Wno-missing-prototypes -Os -ffreestanding -fno-stack-protector -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-ident -fno-builtin \
	$(filter -fcf-protection=%,$(HARDEN_CC:full=none)) \
	-static -nostdlib -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack \
	$(if $(STUB_LDS),-Wl$(comma)-T$(comma)$(STUB_LDS))
$(STUB): $(STUB_SRC) $(STUB_LDS) $(B)/flags
	$(say) STUB $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STUB_CFLAGS) -MMD -MP -MF $(B)/stub.d -MT $@ -o $@ $(STUB_SRC)
	$(Q)strip --strip-all -R .comment -R .note.gnu.property $@
$(B)/libcontainer/run/stub/image.o: libcontainer/run/stub/image.S $(STUB)
	$(say) AS $<
	@mkdir -p $(@D)
	$(Q)$(CC) -DSTUB_PATH='"$(STUB)"' -c -o $@ $<

# --- The egress table: netlink messages, made by libmnl here and now -----------------------

HOSTCC ?= $(CC)
$(B)/mktable: libcontainer/net/table/mktable.c $(B)/flags
	$(say) HOSTCC $@
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(STD) $(WARN) $(if $(filter 1,$(WERROR)),-Werror) $(LIBS_CFLAGS) -O1 -g -o $@ $< \
		$(shell $(PKG_CONFIG) --libs libmnl 2>/dev/null || echo -lmnl)
$(B)/net_table.c: $(B)/mktable
	$(say) GEN $@
	$(Q)$< >$@
$(B)/net_table.o: $(B)/net_table.c libcontainer/net/table/table.h
	$(say) CC $<
	$(Q)$(COMPILE) -c -o $@ $<
# --- Levels: profiles/levels as strings inside the library --------------------------------

LEVELS := $(sort $(wildcard profiles/levels/*.json))
$(B)/levels.c: $(LEVELS) Makefile
	$(say) LEVELS $@
	@mkdir -p $(@D)
	$(Q){ echo '#include "policy/levels.h"'; \
		echo 'const struct level_embedded level_embedded[] = {'; \
		for f in $(LEVELS); do echo "{\"$$(basename $$f .json)\","; \
			sed 's/[\\"]/\\&/g; s/^[[:blank:]]*//; s/.*/"&\\n"/' $$f; echo '},'; done; \
		echo '{NULL, NULL}};'; } >$@
$(B)/levels.o: $(B)/levels.c $(B)/flags
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# --- The levels' seccomp filters: profiles/seccomp compiled ahead -------------------------

# The compiler runs on the machine that builds; its output has both architectures.
LEVELC := $(B)/brig-levelc
LEVELC_SRC := $(wildcard libcontainer/guard/levelc/*.c) \
	$(patsubst %,libcontainer/base/%.c,err arena str file)
$(LEVELC): $(LEVELC_SRC) $(wildcard libcontainer/guard/levelc/*.h) $(B)/flags
	$(say) HOSTCC $@
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(BASE_CFLAGS) -O1 -g -o $@ $(LEVELC_SRC)
$(B)/guard/level_filter_data.c: $(LEVELC) $(wildcard profiles/seccomp/*)
	$(say) LEVELC $@
	@mkdir -p $(@D)
	$(Q)$(LEVELC) profiles/seccomp >$@
$(B)/guard/level_filter_data.o: $(B)/guard/level_filter_data.c $(B)/flags
	$(say) CC $<
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# --- Tests ------------------------------------------------------------------------------

# Programs with main of their own: a test per file, linked with the whole library.
$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(LIB) $(LIBS)

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(LIB)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(B)/tests/fuzz/replay.o $(LIB) $(LIBS)

TOOL_WERROR := $(if $(filter 1,$(WERROR)),-Werror)
# Static, because it runs inside containers whose root has no library.
build/bin/probe: $(wildcard tests/probe/*.c tests/probe/*.h) Makefile
	$(say) PROBE $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O1 -g -static -o $@ $(filter %.c,$^) -lresolv
build/bin/attack: $(wildcard tests/attack/*.c tests/attack/*.h) Makefile
	$(say) PROBE $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O1 -g -static -o $@ $(filter %.c,$^)
# A level's filter alone over a program of the host.
$(BIN)/under: tests/filter/under.c $(LIB)
	$(say) TOOL $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) $(FLAVOUR_CFLAGS) $(FLAVOUR_LDFLAGS) -O1 -g -o $@ $< $(LIB) $(LIBS)
build/bin/floor: tests/bench/floor.c Makefile
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O2 -o $@ $<
# Static: it runs inside.
build/bin/calls: tests/bench/calls.c Makefile
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O2 -static -o $@ $<
build/bin/first: tests/bench/first.c Makefile
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O2 -fno-stack-protector -nostartfiles -static -o $@ $<
build/bin/abtime: tests/bench/abtime.c Makefile
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O2 -o $@ $<

FAULT_TESTS := $(patsubst %,build/fault/bin/%,steps network grants log races storage stress)
build/fault/bin/%: tests/fault/%.c tests/fault/common.c tests/fault/left.c tests/fault/left_net.c \
		tests/fault/fault.h Makefile
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(TOOL_WERROR) -O1 -g -o $@ $(filter %.c,$^)

.PHONY: unit-programs fuzz-programs test-programs fault-programs
fault-programs: $(FAULT_TESTS)
unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)
test-programs: build/bin/probe build/bin/attack $(BIN)/under

# Every stage prints its tests and writes build/results/STAGE.count; tests/lib/summary says again what
# failed and adds up.
STAGES := lint unit fuzz san integration attack engines fault vm
# san has three parts.
SUMMARY := $(patsubst san,san-unit san-fuzz san-bats,$(STAGES))
.PHONY: check $(STAGES:%=check-%)
check: all unit-programs fuzz-programs test-programs
	@rm -rf build/results
	@mkdir -p build/results
	@for s in $(STAGES); do echo "== $$s"; \
		$(MAKE) --no-print-directory check-$$s 2>&1 | tee build/results/$$s.txt; done
	@tests/lib/summary $(SUMMARY)

check-lint: lint
check-unit: unit-programs
	@tests/lib/run-programs unit $(UNIT)
check-fuzz: fuzz-programs
	@tests/lib/run-programs fuzz $(FUZZ)
# levels_bad.bats hides what a level needs from a build with faults.
check-integration: all test-programs
	@$(MAKE) --no-print-directory FAULT=1 all
	@tests/lib/run-bats integration $(BATS)
# AddressSanitizer and UndefinedBehaviorSanitizer: unit tests and corpora, then the program
# itself through the verbs (leaks are looked for in the unit tests: children leave by _exit).
SAN_BATS ?= tests/integration/create_start.bats tests/integration/run.bats \
	tests/integration/exec.bats tests/integration/kill_delete.bats \
	tests/integration/bad_config.bats tests/integration/levels.bats \
	tests/integration/levels_exec.bats tests/integration/direct.bats \
	tests/integration/limits_bad.bats tests/integration/warden_limits.bats \
	tests/integration/results.bats
check-san:
	@$(MAKE) --no-print-directory SAN=1 all unit-programs fuzz-programs test-programs
	@$(MAKE) --no-print-directory SAN=1 san-run
.PHONY: san-run
san-run: unit-programs fuzz-programs
	@export ASAN_OPTIONS=detect_leaks=0 BRIG=$(CURDIR)/build/san/bin/brig; status=0; \
		tests/lib/run-programs san-unit $(UNIT) || status=1; \
		tests/lib/run-programs san-fuzz $(FUZZ) || status=1; \
		tests/lib/run-bats san-bats $(SAN_BATS) || status=1; exit $$status
# ATTACK_LEVELS="standard high": at which levels
check-attack: all build/bin/attack
	@tests/attack/run $(ATTACK_LEVELS)
check-engines: all test-programs
	@tests/lib/run-bats engines $(or $(BATS),$(wildcard tests/engines/*.bats))
check-fault:
	@$(MAKE) --no-print-directory FAULT=1 all fault-programs
	@tests/fault/run
check-vm: all test-programs
	@tests/vm/run

# make fuzz T=config SECONDS=60: libFuzzer on tests/fuzz/fuzz_config.c; what it finds that is
# worth keeping goes by hand into tests/fuzz/corpus/config/.
SECONDS ?= 60
FUZZ_CC ?= clang
.PHONY: fuzz
fuzz:
	@test -n "$(T)" || { echo "make fuzz T=NAME: one of $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard \
		tests/fuzz/fuzz_*.c))"; exit 1; }
	$(Q)$(MAKE) --no-print-directory SAN=1 FLAVOUR_SUFFIX=-fuzz CC=$(FUZZ_CC) \
		CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" fuzz-run T=$(T)
.PHONY: fuzz-run
fuzz-run: $(B)/tests/fuzz/fuzz_$(T).o $(LIB)
	$(Q)$(LINK) -fsanitize=fuzzer -o $(B)/fuzz_$(T) $< $(LIB) $(LIBS)
	$(Q)mkdir -p $(B)/corpus/$(T) tests/fuzz/corpus/$(T)
	$(B)/fuzz_$(T) -max_total_time=$(SECONDS) -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz_$(T)- $(B)/corpus/$(T) tests/fuzz/corpus/$(T)

.PHONY: lint fmt
lint:
	+@tests/lint/run $(if $(TIDY),--tidy)
fmt:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: bench soak
bench: all build/bin/floor build/bin/abtime build/bin/calls build/bin/first
	@tests/bench/run $(ROWS)
soak: all build/bin/abtime build/bin/probe $(B)/unit/test_audit_crowd
	@tests/bench/soak $(or $(COUNT),10000)
	@tests/bench/soak-resets $(or $(RESETS),1000)
	@tests/stress/ends $(or $(ENDS),2000)
	@$(MAKE) --no-print-directory FAULT=1 all fault-programs
	@FAULT_PERCENT=100 tests/fault/run
	@tests/stress/pool $(or $(CYCLES),10000)
	@BRIG_AUDIT_EACH=$(or $(RECORDS),10000) $(B)/unit/test_audit_crowd

.PHONY: coverage
coverage:
	$(Q)$(MAKE) --no-print-directory COV=1 all unit-programs fuzz-programs test-programs
	$(Q)$(MAKE) --no-print-directory COV=1 check-unit check-fuzz
	$(Q)-BRIG=$(CURDIR)/build/cov/bin/brig tests/lib/run-bats integration $(BATS)
	$(Q)gcovr --root . --object-directory build/cov --print-summary \
		--exclude tests/ -o build/cov/report.txt
	@cat build/cov/report.txt

# --- Installing and packing --------------------------------------------------------------

MAN := $(sort $(wildcard docs/man/*.[1-8]))
docs/man/brig.8: docs/man/brig.8.md docs/man/roff Makefile
	awk -v version=$(VERSION) -f docs/man/roff $< >$@.new && mv $@.new $@

.PHONY: man
man:
	@for f in $(MAN); do groff -man -Tutf8 -ww -z $$f || exit 1; done
	@echo "$(words $(MAN)) manual pages read without warnings"

.PHONY: install uninstall
install: all
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(BIN)/brig $(DESTDIR)$(BINDIR)/brig
	$(if $(filter %/brig-systemd,$(PROGRAMS)),install -d $(DESTDIR)$(LIBEXECDIR) && \
		install -m 755 $(BIN)/brig-systemd $(DESTDIR)$(LIBEXECDIR)/brig-systemd)
	for f in $(MAN); do d=$(DESTDIR)$(MANDIR)/man$${f##*.}; \
		install -d $$d && install -m 644 $$f $$d/ || exit 1; done
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/brig $(DESTDIR)$(LIBEXECDIR)/brig-systemd
	for f in $(notdir $(MAN)); do rm -f $(DESTDIR)$(MANDIR)/man$${f##*.}/$$f; done
	-rmdir $(DESTDIR)$(LIBEXECDIR) 2>/dev/null

.PHONY: dist
dist:
	@mkdir -p build
	git archive --prefix=brig-$(VERSION)/ HEAD | gzip -9n \
		>build/brig-$(VERSION).tar.gz

.PHONY: clean help
clean:
	rm -rf build
help:
	@echo 'make [SAN=1|FAULT=1|COV=1] [WERROR=1] [STATIC_LIBS=0] [STATIC=1] [V=1] TARGET'
	@echo '  all                the programs, in build/bin (the default)'
	@echo '  check              every test that can run here; the last line is the sum'
	@echo '  check-unit         unit tests'
	@echo '  check-fuzz         the fuzz targets over their corpus'
	@echo '  check-integration  bats tests; BATS=FILES chooses, BRIG=PROGRAM tests another runtime'
	@echo '  check-attack       what a sandbox must withstand, at each level, and the machine afterwards'
	@echo '  check-fault        each step made to fail, each process killed; races, full disks, crowds'
	@echo '  check-san          unit tests, corpora and some bats tests with the sanitizers'
	@echo '  check-engines      Podman, Docker and containerd with brig'
	@echo '  check-vm           a subset of the bats tests on cgroup v2 in a virtual machine'
	@echo '  fuzz T=NAME        libFuzzer for SECONDS=60'
	@echo '  lint [TIDY=1]      format, layers, sizes, scripts, both compilers [and clang-tidy]'
	@echo '  fmt                clang-format on every C file'
	@echo '  bench [ROWS=...]   the table of docs/benchmarks.md against crun, runc and the floor'
	@echo '  soak COUNT=10000   containers one after the other, looking for leaks; RESETS=1000 of a sandbox of'
	@echo '                     each level; ENDS=2000 sandboxes that end in every way, whose results must be'
	@echo '                     right; CYCLES=10000 over a pool by racing callers; eight writers of an audit'
	@echo '                     log, RECORDS=10000 each'
	@echo '  coverage           line coverage of the unit and integration tests'
	@echo '  install uninstall  PREFIX=/usr/local DESTDIR='
	@echo '  man dist clean'

-include $(shell find $(B) -name '*.d' 2>/dev/null)
