# make            build/kevlar, the release kernel
# make DEBUG=1    build/debug/kevlar: lock ranks, poisoning, UBSAN, assertions
# make test       host tests, guest tests on both kernels, whole programs (needs Debian 12, installs what it needs)
# make check      layers, sizes, formatting, static analysis
# CC=clang builds with clang; V=1 shows the commands.

ARCH ?= x86_64
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
LD := ld
DEBUG ?= 0
B := build$(if $(filter 1,$(DEBUG)),/debug)$(if $(findstring clang,$(CC)),/clang)
Q := $(if $(V),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

include kernel/files.mk

CFLAGS := -std=gnu11 -ffreestanding -fno-pie -fno-strict-aliasing -fno-common \
	-fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections -O2 -g \
	-Wall -Wextra -Wconversion -Wno-sign-conversion -Wmissing-prototypes -Wstrict-prototypes -Wshadow \
	-Wvla -Wundef -Werror
CFLAGS += -Ikernel -Ikernel/arch/include -Ikernel/arch/$(ARCH)/include -I. -MMD -MP
ifeq ($(DEBUG),1)
CFLAGS += -DKEVLAR_DEBUG -fno-omit-frame-pointer -fsanitize=undefined -fsanitize-undefined-trap-on-error \
	-fno-sanitize=nonnull-attribute
else
CFLAGS += -fomit-frame-pointer
endif
ifneq ($(findstring clang,$(CC)),)
CFLAGS += -Wthread-safety -Wno-gnu-folding-constant
endif

include kernel/arch/$(ARCH)/arch.mk
include tools/guest/guest.mk

OBJS := $(patsubst %.c,$(B)/%.o,$(kernel-y)) $(arch-objs)

all: $(B)/kevlar

$(B)/kernel/%.o: kernel/%.c $(arch-generated) Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $<")
	$(Q)$(CC) $(CFLAGS) $(ARCH_CFLAGS) -c -o $@ $<

# Linked twice: the names of the functions are read from the first image and lie behind the text of the second.
$(B)/kevlar.1: $(OBJS) $(KERNEL_LDS)
	$(if $(V),,@echo "  LD  $(B)/kevlar")
	$(Q)$(LD) $(LDFLAGS) -T $(KERNEL_LDS) --gc-sections -o $@ $(OBJS)

$(B)/ksyms.o: $(B)/kevlar.1 tools/mksyms
	$(Q)tools/mksyms $< > $(B)/ksyms.c
	$(Q)$(CC) $(CFLAGS) $(ARCH_CFLAGS) -c -o $@ $(B)/ksyms.c

$(B)/kevlar: $(B)/ksyms.o
	$(Q)$(LD) $(LDFLAGS) -T $(KERNEL_LDS) --gc-sections -Map=$@.map -o $@ $(OBJS) $(B)/ksyms.o

# Guest tests: static programs, the same for Kevlar and for Linux.
guest-src := $(wildcard tests/guest/*/*.c)
guest-bin := $(patsubst tests/guest/%.c,build/tests/guest/%,$(guest-src))
GUEST_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -static -pthread -Itests/guest -Ibuild/tests/guest/robust

build/tests/guest/%: tests/guest/%.c tests/guest/test.c tests/guest/test.h
	@mkdir -p $(@D)
	@echo "  CC  $<"
	$(Q)gcc $(GUEST_CFLAGS) -o $@ $< tests/guest/test.c -lrt

build/tests/guest/robust/calls.inc: tests/guest/robust/mkcalls.py tests/guest/robust/badargs.expect \
		tests/guest/robust/badargs.differs abi/syscalls.def abi/kinds.def abi/flags.def
	@mkdir -p $(@D)
	$(Q)python3 $< . > $@
build/tests/guest/robust/badargs: build/tests/guest/robust/calls.inc
build/tests/guest/robust/callgen: $(wildcard tests/guest/robust/callgen_*.h)
build/tests/guest/robust/failnth build/tests/guest/robust/failnth_files: tests/guest/robust/failnth.h

guest-tests: $(guest-bin)

host-tests:
	@tools/host-tests

test:
	@./kevlar --yes test all

check:
	@tools/check

docs:
	@tools/gen-docs
	@tools/gen-locking

clean:
	rm -rf build

.PHONY: all guest-tests host-tests test check docs clean

-include $(OBJS:.o=.d)
