#include "proc/signal.h"

/*
 * What comes with a signal. The kernel keeps the part of a siginfo that its members use; the user's
 * has SIGINFO_SIZE bytes, and the rest of them is zero: what rt_sigqueueinfo(2) finds there is
 * dropped when si_code says which member is meant, and refused when it does not.
 *
 * Source: sigaction(2) "The siginfo_t argument to a SA_SIGINFO handler", rt_sigqueueinfo(2); which
 * codes are known: asm-generic/siginfo.h, and Linux's answers.
 */

#include "abi/errno.h"
#include "lib/string.h"
#include "proc/proc_priv.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

/* The highest positive si_code of each signal that has codes of its own, and of the others (those
 * of SIGPOLL, which F_SETSIG lets any signal have). */
enum { CODES_OTHERS = 6 };
static const uint8_t codes_known[] = {
	[SIGILL] = 11, [SIGFPE] = 15, [SIGSEGV] = 9, [SIGBUS] = 5,
	[SIGTRAP] = 6, [SIGCHLD] = 6, [SIGSYS] = 2,
};

static bool is_known_code(int sig, int code)
{
	if (code <= 0)
		return code >= SI_DETHREAD || code == SI_ASYNCNL;
	if (code == SI_KERNEL)
		return true;
	if ((unsigned)sig < ARRAY_SIZE(codes_known) && codes_known[sig] != 0)
		return code <= codes_known[sig];
	return code <= CODES_OTHERS;
}

void siginfo_kernel(struct abi_siginfo *si, int sig)
{
	*si = (struct abi_siginfo){ .si_signo = sig, .si_code = SI_KERNEL };
}

void siginfo_user(struct abi_siginfo *si, int sig, int code)
{
	*si = (struct abi_siginfo){
		.si_signo = sig,
		.si_code = code,
		.kill = { .pid = (int32_t)curproc()->pid->nr, .uid = current_cred()->uid },
	};
}

int siginfo_from_user(struct abi_siginfo *si, uaddr_t from, int sig)
{
	uint8_t rest[SIGINFO_SIZE - sizeof(*si)];

	if (copy_from_user(si, from, sizeof(*si)))
		return -EFAULT;
	if (is_known_code(sig, si->si_code))
		return 0;
	if (copy_from_user(rest, uaddr_add(from, sizeof(*si)), sizeof(rest)))
		return -EFAULT;
	for (unsigned i = 0; i < sizeof(rest); i++)
		if (rest[i] != 0)
			return -E2BIG;
	return 0;
}

int siginfo_to_user(uaddr_t to, const struct abi_siginfo *si)
{
	if (copy_to_user(to, si, sizeof(*si)))
		return -EFAULT;
	return clear_user(uaddr_add(to, sizeof(*si)), SIGINFO_SIZE - sizeof(*si));
}
