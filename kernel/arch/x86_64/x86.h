#pragma once

/* Numbers of the architecture, for C and assembly: SDM vol. 3A ch. 2 and 3, vol. 4 ch. 2. */

/* Selectors; the user's are the ones Linux programs see in signal frames. SYSRET derives CS and SS
 * from 0x20 | 3. */
#define SEL_KERNEL_CS 0x10
#define SEL_KERNEL_DS 0x18
#define SEL_USER_BASE 0x23
#define SEL_USER_DS   0x2b
#define SEL_USER_CS   0x33
#define SEL_TSS       0x40
#define SEL_CPU       0x7b /* limit: node << 12 | cpu, for LSL in the vDSO */
#define GDT_ENTRIES   16

#define CR0_PE     0x00000001
#define CR0_MP     0x00000002
#define CR0_ET     0x00000010
#define CR0_NE     0x00000020
#define CR0_WP     0x00010000
#define CR0_AM     0x00040000
#define CR0_PG     0x80000000
#define CR0_KERNEL (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG)

#define CR4_PAE        0x00000020
#define CR4_PGE        0x00000080
#define CR4_OSFXSR     0x00000200
#define CR4_OSXMMEXCPT 0x00000400
#define CR4_UMIP       0x00000800
#define CR4_FSGSBASE   0x00010000
#define CR4_OSXSAVE    0x00040000
#define CR4_SMEP       0x00100000
#define CR4_SMAP       0x00200000

#define MSR_APIC_BASE      0x1b
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800
#define MSR_PAT            0x277
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_FMASK          0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_NXE 0x800

#define FLAGS_CF   0x00000001
#define FLAGS_ONE  0x00000002
#define FLAGS_TF   0x00000100
#define FLAGS_IF   0x00000200
#define FLAGS_DF   0x00000400
#define FLAGS_IOPL 0x00003000
#define FLAGS_NT   0x00004000
#define FLAGS_RF   0x00010000
#define FLAGS_AC   0x00040000

/* What a user may change in RFLAGS: CF PF AF ZF SF TF DF OF NT RF AC (and never IF, IOPL, VM). */
#define FLAGS_USER 0x00054dd5

#define DR6_HITS  0x0000000f /* breakpoints 0 to 3 */
#define DR6_STEP  0x00004000
#define DR6_CLEAR 0xffff0ff0
#define DR7_CLEAR 0x00000400
#define DR7_FIXED 0xffffffff0000fc00 /* not a debugger's to set: SDM vol. 3B 17.2.4 */

#define TRAP_DE    0
#define TRAP_DB    1
#define TRAP_NMI   2
#define TRAP_BP    3
#define TRAP_OF    4
#define TRAP_UD    6
#define TRAP_DF    8
#define TRAP_SS    12
#define TRAP_GP    13
#define TRAP_PF    14
#define TRAP_MF    16
#define TRAP_AC    17
#define TRAP_MC    18
#define TRAP_XM    19
#define TRAP_COUNT 32

/* Interrupt vectors: devices from 0x20, then the local APIC's own. */
#define VEC_DEVICE   0x20
#define VEC_LOCAL    0xf0
#define VEC_TIMER    0xf0
#define VEC_IPI      0xf1
#define VEC_ERROR    0xfe
#define VEC_SPURIOUS 0xff

#define BOOT_STACK_SIZE 16384
