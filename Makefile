# Quire: build, run, test. `make help` lists the targets.
#
# Everything made goes to build/. RELEASE=1 leaves the kernel's assertions out and puts that kernel in
# build/release/; NO_TRACE=1 leaves the trace out, in build/notrace/; V=1 shows the commands. Builds run in parallel unless -j says otherwise.

MAKEFLAGS += --no-builtin-rules
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD := build
K := $(BUILD)$(if $(RELEASE),/release)$(if $(NO_TRACE),/notrace)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-6s %s\n' $(1) $(2))

# --- tools -------------------------------------------------------------------------------------
ifeq ($(filter x86_64 amd64,$(shell uname -m)),)
CROSS_COMPILE ?= x86_64-linux-gnu-
USER_CC ?= x86_64-linux-musl-gcc
RUN_X86 ?= qemu-x86_64
endif
CC := $(CROSS_COMPILE)gcc
LD := $(CROSS_COMPILE)ld
AR := $(CROSS_COMPILE)ar
NM := $(CROSS_COMPILE)nm
STRIP := $(CROSS_COMPILE)strip
USER_CC ?= musl-gcc
CLANG_FORMAT ?= clang-format
PYTHON := /usr/bin/python3
FONT ?= /usr/share/consolefonts/Uni2-TerminusBold16.psf.gz
BUSYBOX = $(shell command -v busybox)
# Evaluated when used: the compiler may be installed by this very run.
APPLETS = $(filter-out busybox,$(shell $(RUN_X86) $(BUSYBOX) --list))
LIBGCC = $(shell $(CC) -print-libgcc-file-name)

CFLAGS := -std=gnu11 -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-O2 -g -fno-omit-frame-pointer -fno-stack-protector -fno-strict-aliasing \
	-fcf-protection=none -fno-asynchronous-unwind-tables \
	-Wall -Wextra -Werror $(if $(RELEASE),,-DINVARIANTS) $(if $(NO_TRACE),-DNO_TRACE) -Ikernel -Ikernel/amd64 -I.
LDFLAGS := -nostdlib -static --build-id=none --fatal-warnings -z max-page-size=0x1000 \
	-z noexecstack
# The kernel's own interfaces (<linux/fb.h>) come after musl's headers.
USER_CFLAGS := -static -O2 -g -std=gnu11 -Wall -Wextra -Werror -Iuser \
	-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu \
	-idirafter /usr/x86_64-linux-gnu/include

# --- sources -----------------------------------------------------------------------------------
SRCS := $(sort $(wildcard boot/*.c boot/*.S kernel/*.c kernel/*/*.c kernel/*/*.S kernel/*/*/*.c \
	kernel/*/*/*.S drivers/*.c))
OBJS := $(SRCS:%=$(K)/obj/%.o) $(K)/obj/font.o
# A program is a file user/NAME.c or a folder user/NAME/ of .c files; user/lib/ is what they share.
USER_LIB := $(BUILD)/user/lib.a
USER_OBJS := $(patsubst user/lib/%.c,$(BUILD)/user/lib/%.o,$(wildcard user/lib/*.c))
PROGRAM_DIRS := $(filter-out lib,$(sort $(patsubst user/%/,%,$(dir $(wildcard user/*/*.c)))))
PROGRAMS := $(patsubst user/%.c,%,$(wildcard user/*.c)) $(PROGRAM_DIRS)
PROGRAM_FILES := $(PROGRAMS:%=$(BUILD)/user/%)
TEST_PROGRAMS := $(patsubst tests/boot/programs/%.c,$(BUILD)/tests/%,\
	$(wildcard tests/boot/programs/*.c)) $(BUILD)/tests/abi $(BUILD)/tests/stress
FORMATTED = $(shell find boot kernel drivers user scripts tests -name '*.[ch]')

# --- targets -----------------------------------------------------------------------------------
.PHONY: all run watch gdb gdb-replay shell test test-host test-boot test-explore test-programs explore stress bench bench-scaling bench-check image format format-check deps doctor clean help

## all: the kernel, the programs and the initrd (the default)
all: $(K)/quire.elf $(BUILD)/initrd.cpio

## run: boot the demo; a window where there is a display, else build/screenshot.png
run: all
	$(Q)scripts/run --screenshot $(BUILD)/screenshot.png $(RUNFLAGS)

## shell: a shell in it, on this terminal
shell: all
	$(Q)scripts/run $(RUNFLAGS) -- /bin/sh -l

## gdb: boot halted under gdb, with the commands of scripts/gdb (RUNFLAGS="-- /bin/hello")
gdb: all
	$(Q)scripts/debug $(RUNFLAGS)

## gdb-replay: the same with a run that was recorded: gdb goes backwards, too (docs/reverse.md)
gdb-replay: all
	$(Q)scripts/debug --replay $(RUNFLAGS)

## watch: memory on the screen as it changes, a shell on this terminal (docs/memview.md)
watch: all
	$(Q)scripts/run $(if $(DISPLAY)$(WAYLAND_DISPLAY),,--screenshot $(BUILD)/watch.png) \
	    --append memview $(RUNFLAGS)

## test: all tests: test-host, test-explore, test-boot
test: all test-programs
	$(Q)$(MAKE) --no-print-directory test-host
	$(Q)$(MAKE) --no-print-directory test-explore
	$(Q)$(MAKE) --no-print-directory test-boot

## test-host: the VM on the host, against a fake machine
test-host: $(BUILD)/.deps
	$(Q)$(MAKE) --no-print-directory -C tests/host test

## test-explore: every interleaving of small scenarios of faults (docs/explore.md)
test-explore: $(BUILD)/.deps
	$(Q)tests/explore/run --quick

## explore: the same at length, and bugs put back that it must find
explore: $(BUILD)/.deps
	$(Q)tests/explore/run

## test-boot: boot the kernel and look (PYTEST_ARGS="-k name" picks some; SMP=2 processors)
test-boot: all test-programs
	$(Q)$(MAKE) --no-print-directory RELEASE=1 $(BUILD)/release/quire.elf
	$(Q)$(MAKE) --no-print-directory NO_TRACE=1 $(BUILD)/notrace/quire.elf
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/boot $(PYTEST_ARGS)

test-programs: $(TEST_PROGRAMS)

## stress: memory used at random by threads of many CPUs (SEED=, MINUTES= in all, SMP="1 2 4 8")
stress: all $(BUILD)/tests/stress
	$(Q)tests/stress/run --seed $(or $(SEED),0) --minutes $(or $(MINUTES),10) --smp "$(or $(SMP),1 2 4 8)"

## bench: what the paths of the VM cost here and on Linux, side by side (BENCH="ROW..." or options)
bench: all
	$(Q)$(MAKE) --no-print-directory RELEASE=1 $(BUILD)/release/quire.elf
	$(Q)scripts/bench $(BENCH)

## bench-scaling: how costs grow with sizes, mappings, processes, CPUs (BENCH="--short --quire" ...)
bench-scaling: all
	$(Q)$(MAKE) --no-print-directory RELEASE=1 $(BUILD)/release/quire.elf
	$(Q)scripts/bench --scaling $(BENCH)

## bench-check: has a row become slower than docs/benchmarks.json says?
bench-check: all
	$(Q)$(MAKE) --no-print-directory RELEASE=1 $(BUILD)/release/quire.elf
	$(Q)scripts/bench --check

## image: build/quire.iso, bootable by BIOS and by UEFI
image: all
	$(call say,ISO,$(BUILD)/quire.iso)
	$(Q)scripts/mkiso $(BUILD)/quire.iso $(K)/quire.elf $(BUILD)/initrd.cpio $(CMDLINE)

## format: put the C sources into the house style
format: $(BUILD)/.deps
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)

## format-check: say what is not in the house style
format-check: $(BUILD)/.deps
	$(Q)$(CLANG_FORMAT) --dry-run --Werror $(FORMATTED)

## deps: install the Debian packages that are missing
deps:
	$(Q)scripts/deps --install

## doctor: which tool is missing or too old, and what mends it
doctor:
	@scripts/doctor

## clean: remove what was built
clean:
	$(Q)rm -rf $(BUILD)

## help: this list
help:
	@echo 'make [TARGET] [RELEASE=1] [V=1]'
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile $(wildcard tests/instructor.mk) | expand -t 16

-include tests/instructor.mk

# What is missing on this machine is installed, or named, before anything is built.
$(BUILD)/.deps: scripts/deps
	$(Q)scripts/deps --install
	$(Q)mkdir -p $(@D) && touch $@

# --- kernel ------------------------------------------------------------------------------------
$(K)/obj/%.o: % Makefile | $(BUILD)/.deps
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/font.psf: | $(BUILD)/.deps
	$(call say,FONT,$(notdir $(FONT)))
	$(Q)gzip -dc $(FONT) >$@

$(K)/obj/font.S: $(BUILD)/font.psf Makefile
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '.section .rodata' '.balign 16' '.globl font_psf_start, font_psf_end' \
	    'font_psf_start: .incbin "$<"' 'font_psf_end:' '.section .note.GNU-stack' >$@

$(K)/obj/font.o: $(K)/obj/font.S
	$(Q)$(CC) -c -o $@ $<

# The symbol table for backtraces is linked in with a second pass. It is the last section, so that
# no address moves; the second pass's own table must be the first's.
$(K)/quire.elf: $(OBJS) linker.ld scripts/mksyms
	$(call say,LD,$@)
	$(Q)scripts/mksyms </dev/null >$(K)/obj/ksyms0.S
	$(Q)$(CC) -c -o $(K)/obj/ksyms0.o $(K)/obj/ksyms0.S
	$(Q)$(LD) $(LDFLAGS) -T linker.ld -o $(K)/obj/pass1.elf $(OBJS) $(K)/obj/ksyms0.o $(LIBGCC)
	$(Q)$(NM) -n $(K)/obj/pass1.elf | scripts/mksyms >$(K)/obj/ksyms.S
	$(Q)$(CC) -c -o $(K)/obj/ksyms.o $(K)/obj/ksyms.S
	$(Q)$(LD) $(LDFLAGS) -T linker.ld -o $(K)/obj/pass2.elf $(OBJS) $(K)/obj/ksyms.o $(LIBGCC)
	$(Q)$(NM) -n $(K)/obj/pass2.elf | scripts/mksyms | cmp - $(K)/obj/ksyms.S
	$(Q)mv $(K)/obj/pass2.elf $@

# --- programs and initrd -----------------------------------------------------------------------
$(BUILD)/user/lib/%.o: user/lib/%.c Makefile | $(BUILD)/.deps
	$(call say,USER,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(USER_LIB): $(USER_OBJS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# $(1): the program, $(2): its sources.
define program
$(BUILD)/user/$(1): $(2) $(wildcard user/$(1)/*.h user/lib/*.h) $(USER_LIB) Makefile | $(BUILD)/.deps
	$$(call say,USER,$(1))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(USER_CC) $$(USER_CFLAGS) -o $$@ $$(filter %.c,$$^) $(USER_LIB) -lm
endef
$(foreach p,$(PROGRAM_DIRS),$(eval $(call program,$(p),$(wildcard user/$(p)/*.c))))
$(foreach p,$(filter-out $(PROGRAM_DIRS),$(PROGRAMS)),$(eval $(call program,$(p),user/$(p).c)))

$(BUILD)/tests/%: tests/boot/programs/%.c Makefile | $(BUILD)/.deps
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -MMD -MP -MF $@.d -o $@ $<

$(BUILD)/tests/abi: $(wildcard tests/abi/*.[ch]) Makefile | $(BUILD)/.deps
	$(call say,TEST,tests/abi)
	$(Q)mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -Wno-unused-result -o $@ $(filter %.c,$^)

$(BUILD)/tests/stress: $(wildcard tests/stress/*.[ch]) Makefile | $(BUILD)/.deps
	$(call say,TEST,tests/stress)
	$(Q)mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -I. -o $@ $(filter %.c,$^)

# Without debugging information in the initrd; build/user/NAME keeps it for gdb. Debian's paths all
# lead somewhere, and what busybox can do has a name in /bin unless a program of ours has it.
ETC := $(wildcard user/etc/*)
$(BUILD)/initrd.cpio: $(PROGRAM_FILES) $(BUILD)/font.psf $(ETC) scripts/newc.py Makefile
	$(call say,CPIO,$@)
	$(Q)rm -rf $(BUILD)/stripped && mkdir -p $(BUILD)/stripped
	$(Q)for p in $(PROGRAMS); do $(STRIP) -o $(BUILD)/stripped/$$p $(BUILD)/user/$$p || exit 1; done
	$(Q)$(PYTHON) scripts/newc.py $@ /bin/ /dev/ /etc/ /lib/ /lib64/ /proc/ /root/:700 /sbin/ \
	    /tmp/:1777 /usr/ /var/tmp/:1777 @../bin:/usr/bin @../sbin:/usr/sbin @../lib:/usr/lib \
	    @../lib64:/usr/lib64 $(foreach f,$(ETC),$(f):/etc/$(notdir $(f))) \
	    $(BUSYBOX):/bin/busybox \
	    $(filter-out $(PROGRAMS:%=@busybox:/bin/%),$(APPLETS:%=@busybox:/bin/%)) \
	    $(foreach p,$(PROGRAMS),$(BUILD)/stripped/$(p):/bin/$(p)) $(BUILD)/font.psf:/share/font.psf

-include $(OBJS:.o=.d) $(USER_OBJS:.o=.d) $(TEST_PROGRAMS:=.d)
