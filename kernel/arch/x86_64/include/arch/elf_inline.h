#pragma once

/* x86-64 part of <arch/elf.h>: x86-64 psABI; the sizes of the random parts are those Linux programs
 * know. */

#define ARCH_ELF_MACHINE  62 /* EM_X86_64 */
#define ARCH_ELF_PLATFORM "x86_64"
#define ARCH_UTS_MACHINE  "x86_64"

#define ARCH_PIE_BASE  0x0000555555554000ul /* two thirds of the user's half */
#define ARCH_STACK_TOP 0x00007ffffffff000ul

#define ARCH_MMAP_RND_BITS   28         /* pages below the stack gap */
#define ARCH_STACK_RND_PAGES 0x3ffffful /* mask: up to 16 GiB below the top */
#define ARCH_BRK_RND_PAGES   0x2000ul   /* up to 32 MiB above the image */
