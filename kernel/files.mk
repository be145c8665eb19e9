# What the kernel is made of: the layers, lowest first. A file belongs to the kernel by being in a layer's directory.
# pure-y modules use only lib/, abi/ and themselves, and are compiled for the host tests as they are.

layers := lib core pmm sched vm vfs dev fs net proc tty pseudofs sys boot

kernel-y := $(sort $(foreach l,$(layers),$(wildcard kernel/$(l)/*.c kernel/$(l)/*/*.c)))
