#pragma once

/*
 * Signals: sending, waiting, delivery. Sending finds the receiver by process or task, checks
 * permission where asked, queues (standard signals once, real-time ones each), and wakes. Delivery
 * runs in user_return_work().
 */

#include "abi/signal.h"
#include "lib/types.h"
#include "proc/task.h"

#define SIGMASK(sig)    (1ull << ((sig)-1))
/* SIGKILL and SIGSTOP cannot be blocked. */
#define SIG_UNBLOCKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))

/* Fills in a siginfo of a signal sent by the running task (SI_USER, SI_TKILL …) or by the kernel
 * (SI_KERNEL). */
void siginfo_user(struct abi_siginfo *si, int sig, int code);
void siginfo_kernel(struct abi_siginfo *si, int sig);

/* From and to the user's SIGINFO_SIZE bytes. 0; -EFAULT; -E2BIG: the part that the kernel does not
 * keep is not zero, and si_code is none that it knows for sig. */
MUST_CHECK int siginfo_from_user(struct abi_siginfo *si, uaddr_t from, int sig);
MUST_CHECK int siginfo_to_user(uaddr_t to, const struct abi_siginfo *si);

/* Queue for any task of p, or for t alone. 0; -EAGAIN (RLIMIT_SIGPENDING, real-time signals only);
 * -ESRCH gone. Any thread context; takes SIGNAL. No permission check. */
MUST_CHECK int signal_send_process(struct process *p, const struct abi_siginfo *si);
MUST_CHECK int signal_send_task(struct task *t, const struct abi_siginfo *si);

/* With the permission checks of kill(2): 0, -EPERM, -ESRCH, -EINVAL. */
MUST_CHECK int signal_kill_process(struct process *p, int sig, const struct abi_siginfo *si);

/* The check alone: 0, -EPERM, -ESRCH (reaped), -EINVAL (no such signal). */
MUST_CHECK int signal_may_kill(struct process *p, int sig);

/* kill(2) to a group (borrowed), or with NULL to every process but 1 and the caller's: 0 when at
 * least one may be sent it; -EPERM; -ESRCH; -EAGAIN. sig 0 only checks. */
MUST_CHECK int signal_kill_many(struct pid *group, int sig, const struct abi_siginfo *si);

/* To every process of a group: 0 when at least one got it. From the tty: no permission check. */
int signal_send_group(struct pid *group, int sig, bool from_kernel);

/* From interrupt context or under spinlocks above SIGNAL: the kernel's own, e.g. SIGIO, timers. */
void signal_notify_process(struct process *p, int sig);

/* sigaction(2): installs `new` (NULL: only asks) for the running process; what becomes ignored is
 * no longer pending. */
void signal_set_action(int sig, const struct abi_sigaction *new, struct abi_sigaction *old);

/* A fault of the running task: if blocked or ignored, the default action all the same. */
void signal_force(int sig, int code, uint64_t addr);
void signal_force_info(const struct abi_siginfo *si);

/* Ends the running task's process by a signal that nothing can stop, with a core: whatever its
 * action is, and without a word to a tracer. */
NORETURN void signal_die_dumping(const struct abi_siginfo *si);

/* The frame of `sig` could not be pushed, or sigreturn's was no good: SIGSEGV, fatal when it was
 * SIGSEGV's own. */
void signal_bad_frame(int sig);

/* The ss_flags that sigaltstack(2) reports for t at stack pointer sp. */
uint32_t altstack_state(const struct task *t, uint64_t sp);

/* Sets the blocked mask of the running task and re-evaluates what is pending. */
void signal_set_blocked(uint64_t mask);

/* ppoll, pselect, sigsuspend …: installs `mask` until the system call has returned and a handler
 * has run. */
void signal_set_temp_mask(uint64_t mask);
/* The call ended: when not interrupted by a signal, the old mask is put back at once. */
void signal_finish_temp_mask(bool interrupted);
/* Copies a user's sigset (size must be 8: -EINVAL) and installs it; UADDR_NULL: nothing. */
MUST_CHECK int signal_temp_mask_user(uaddr_t mask, uint64_t size);

/* Takes a pending signal of `set` from the running task; 0: none. */
int signal_dequeue(uint64_t set, struct abi_siginfo *out);
/* sigtimedwait(2): waits for one of `set`, blocked or not, until `deadline` (CLOCK_MONOTONIC). The
 * signal; -EAGAIN; -EINTR. */
MUST_CHECK int signal_wait(uint64_t set, nsec_t deadline, struct abi_siginfo *out);
/* For /proc/PID/status: t's own and its process's pending signals, what it blocks, ignores, and has
 * handlers for. */
void signal_summary(struct task *t, uint64_t *own, uint64_t *shared, uint64_t *blocked,
		    uint64_t *ignored, uint64_t *caught);
uint64_t signal_pending_set(struct task *t); /* private and shared, unfiltered */

/* For the tracer of a stopped t: the nth queued signal (of t alone, or of its process), and false:
 * there is none; the mask that holds when the call that it is in has returned. */
MUST_CHECK bool signal_peek(struct task *t, bool shared, uint64_t nth, struct abi_siginfo *out);
uint64_t signal_mask_of(struct task *t);
void signal_set_mask_of(struct task *t, uint64_t mask);

/* True when sig would be thrown away by p now (SIG_IGN, or default-ignored and not blocked). */
bool signal_is_ignored(struct task *t, int sig);

/* Ends every task of the process: exit_group(2) and fatal signals. */
void process_kill_all(struct process *p, int wait_status);

/* For restart_syscall(2): the interrupted call goes on in fn(), with these arguments. */
void restart_block_set(int64_t (*fn)(struct restart_block *), const uint64_t *arg, unsigned n);
