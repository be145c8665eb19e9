/*
 * The kernel's own backtrace. The debug kernel keeps frame pointers and follows their chain. The
 * release kernel has none (they cost every function three instructions), so it reads the stack
 * upwards and names each word that a call may have left there: an address in the text, behind a
 * call instruction. That is all of the chain, and at times a word of a call that is over.
 *
 * Source: x86-64 psABI 3.2.2; SDM vol. 2A "CALL" (E8 rel32, FF /2).
 */

#include "arch/x86_64/uaccess.h"
#include "arch/x86_64/x86_priv.h"
#include "core/ksyms.h"
#include "core/log.h"

enum { DEPTH_MAX = 32 };

/* One kernel word; false when it is not mapped. */
static bool peek(uintptr_t a, uint64_t *out)
{
	uint64_t v;

	__asm__ goto("1: movq (%1), %0\n" EX_ENTRY("1b", "%l[fault]")
		     : "=r"(v)
		     : "r"(a)
		     : "memory"
		     : fault);
	*out = v;
	return true;
fault:
	return false;
}

static void log_address(uintptr_t pc)
{
	size_t offset;
	const char *name = ksym_find(pc, &offset);

	if (name)
		log_f(LOG_EMERG, "  %016lx %s+0x%lx", pc, name, offset);
	else
		log_f(LOG_EMERG, "  %016lx", pc);
}

#ifdef KEVLAR_DEBUG

void backtrace_from(uintptr_t pc, uintptr_t sp, uintptr_t frame)
{
	uint64_t next, ret;

	(void)sp;
	if (pc)
		log_address(pc);
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (frame < DIRECT_MAP_BASE || !IS_ALIGNED(frame, 8) || !peek(frame, &next) ||
		    !peek(frame + 8, &ret) || ret < KERNEL_BASE)
			return;
		log_address(ret);
		if (next <= frame)
			return;
		frame = next;
	}
}

#else

enum { CALL_MAX = 8, OP_CALL_REL32 = 0xe8, OP_GROUP5 = 0xff, GROUP5_CALL = 2 };

static bool is_text(uint64_t a)
{
	return a >= (uintptr_t)__text_start + CALL_MAX && a < (uintptr_t)__text_end;
}

/* Is there a call instruction in front of `ret`? */
static bool follows_call(uint64_t ret)
{
	const uint8_t *p = (const uint8_t *)ret;
	int32_t distance;

	__builtin_memcpy(&distance, p - 4, sizeof(distance));
	if (p[-5] == OP_CALL_REL32 && is_text(ret + (uint64_t)(int64_t)distance))
		return true;
	for (int n = 2; n < CALL_MAX;
	     n++) /* by register, or from memory, with SIB and displacement */
		if (p[-n] == OP_GROUP5 && (p[-n + 1] >> 3 & 7) == GROUP5_CALL)
			return true;
	return false;
}

void backtrace_from(uintptr_t pc, uintptr_t sp, uintptr_t frame)
{
	uintptr_t end = sp + KSTACK_SIZE;
	uint64_t word;
	int depth = 0;

	(void)frame;
	if (pc)
		log_address(pc);
	if (sp < DIRECT_MAP_BASE)
		return;
	for (sp = ALIGN_UP(sp, 8); sp < end && depth < DEPTH_MAX && peek(sp, &word); sp += 8) {
		if (!is_text(word) || !follows_call(word))
			continue;
		log_address(word);
		depth++;
	}
}

#endif

void arch_backtrace(void)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	backtrace_from(0, frame, frame);
}
