# x86-64: included by the top Makefile, which has set CC, LD, CFLAGS and B, the build directory. Sets
#   arch-objs       objects of this directory
#   arch-generated  headers that must exist before C files are compiled
#   ARCH_CFLAGS     what kernel code of this port needs
#   KERNEL_LDS, LDFLAGS

A := kernel/arch/x86_64

ARCH_CFLAGS := -m64 -mno-red-zone -mgeneral-regs-only -mcmodel=kernel
KERNEL_LDS := $(A)/kernel.lds
LDFLAGS := -m elf_x86_64 -static -nostdlib -z max-page-size=4096 -z noexecstack --build-id=none \
	--no-warn-rwx-segments

arch-c := acpi acpi_tables apic backtrace bootmap cache context cpu cpuinfo debug desc earlycon extable fpu ioapic ioport mmu \
	mmu_init \
	mptable power ptrace pvh rtc rtc_date signal smp trap tsc usercopy
arch-S := boot copy entry vdso_blob
arch-objs := $(patsubst %,$(B)/$(A)/%.o,$(arch-c) $(arch-S))
arch-generated :=

# Offsets for assembly: the compiler prints them, sed makes a header.
$(B)/asm_offsets.h: $(A)/asm_offsets.c $(wildcard $(A)/include/arch/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP -fsanitize%,$(CFLAGS)) $(ARCH_CFLAGS) -S -o $(B)/asm_offsets.s $<
	$(Q)sed -n 's/.*"->\([A-Z0-9_]*\) \$$\{0,1\}\([0-9]*\)".*/#define \1 \2/p' $(B)/asm_offsets.s > $@

ARCH_ASFLAGS := -m64 -I$(B) -Ikernel -I. -g
$(B)/$(A)/entry.o $(B)/$(A)/copy.o: $(B)/asm_offsets.h

$(B)/$(A)/%.o: $(A)/%.S $(A)/x86.h $(A)/asm_macros.inc
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AS  $<")
	$(Q)$(CC) $(ARCH_ASFLAGS) -c -o $@ $<

# The vDSO is user-mode code: position-independent, with its own linker script.
VDSO_CFLAGS := -m64 -std=gnu11 -O2 -fPIC -ffreestanding -fno-stack-protector -fvisibility=hidden \
	-mgeneral-regs-only -fasynchronous-unwind-tables -Wall -Wextra -Wconversion -Wno-sign-conversion \
	-Werror -Ikernel -I.

$(B)/$(A)/vdso/vdso.o: $(A)/vdso/vdso.c kernel/core/vdso_data.h abi/time.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) -c -o $@ $<

$(B)/vdso.so: $(B)/$(A)/vdso/vdso.o $(A)/vdso/vdso.lds
	$(Q)$(LD) -m elf_x86_64 -shared -nostdlib -Bsymbolic --hash-style=both -soname linux-vdso.so.1 \
		--eh-frame-hdr -z max-page-size=4096 -z noexecstack --build-id=none --strip-debug \
		-T $(A)/vdso/vdso.lds -o $@ $<

$(B)/$(A)/vdso_blob.o: $(A)/vdso_blob.S $(B)/vdso.so
	@mkdir -p $(@D)
	$(Q)$(CC) $(ARCH_ASFLAGS) -DVDSO_SO='"$(B)/vdso.so"' -c -o $@ $<
