# The programs that tools/kevlar puts into a guest: static, for any Linux-compatible kernel.
# Included by the Makefile, and complete by itself: make -f tools/guest/guest.mk guest-tools

GUEST_TOOLS_CC ?= $(CC)
GUEST_TOOLS_OUT := build/guest
GUEST_TOOLS_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Os -static -s -Wall -Wextra -Wconversion \
	-Wno-sign-conversion -Wmissing-prototypes -Wshadow -Werror
GUEST_TOOLS_SOURCES := $(wildcard tools/guest/*.[ch]) tools/guest/guest.mk
GUEST_AGENT_SOURCES := $(addprefix tools/guest/,agent.c channel.c command.c machine.c network.c request.c)

.PHONY: guest-tools
guest-tools: $(GUEST_TOOLS_OUT)/init $(GUEST_TOOLS_OUT)/runner

$(GUEST_TOOLS_OUT)/init: $(GUEST_TOOLS_SOURCES)
	@mkdir -p $(@D)
	$(GUEST_TOOLS_CC) $(GUEST_TOOLS_CFLAGS) -o $@ $(GUEST_AGENT_SOURCES)

$(GUEST_TOOLS_OUT)/runner: $(GUEST_TOOLS_SOURCES)
	@mkdir -p $(@D)
	$(GUEST_TOOLS_CC) $(GUEST_TOOLS_CFLAGS) -o $@ tools/guest/runner.c
