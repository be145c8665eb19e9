#pragma once

/* callgen.c's calls on message queues and asynchronous input and output, and the newer and rarer calls. */

#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/select.h>

enum { CONTEXTS = 3, QUEUES = 3 };

static volatile aio_context_t contexts[CONTEXTS];

static void queue_calls(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1 + rnd(4), .mq_msgsize = 1 + rnd(200) }, got;
	struct sigevent ev = { .sigev_notify = one_in(2) ? SIGEV_SIGNAL : SIGEV_NONE, .sigev_signo = SIGUSR1 };
	struct timespec zero = { 0, 0 };
	char name[16], text[256] = "";
	int fd = some_fd();

	snprintf(name, sizeof(name), "/callgen%u", rnd(QUEUES));
	switch (rnd(8)) {
	case 0:
	case 1: keep(mq_open(name, O_RDWR | O_NONBLOCK | O_CREAT, 0600, &attr)); break;
	case 2: mq_unlink(name); break;
	case 3: mq_timedsend(fd, text, rnd(256), rnd(5), &zero); break;
	case 4: mq_timedreceive(fd, text, sizeof(text), NULL, &zero); break;
	case 5: mq_notify(fd, one_in(3) ? NULL : &ev); break;
	default: mq_getattr(fd, &got); break;
	}
}

static void unlink_queues(void)
{
	char name[16];

	for (int i = 0; i < QUEUES; i++) {
		snprintf(name, sizeof(name), "/callgen%d", i);
		mq_unlink(name);
	}
}

static void aio_calls(void)
{
	uint32_t i = rnd(CONTEXTS);
	struct iocb cb[3], *each[3];
	struct io_event ev[4];
	struct timespec zero = { 0, 0 };
	aio_context_t ctx = 0;
	size_t n;

	switch (rnd(6)) {
	case 0:
		if (contexts[i] == 0 && syscall(SYS_io_setup, 1 + rnd(32), &ctx) == 0)
			contexts[i] = ctx;
		break;
	case 1:
		if (one_in(4) && (ctx = __atomic_exchange_n(&contexts[i], 0, __ATOMIC_RELAXED)))
			syscall(SYS_io_destroy, ctx);
		break;
	case 2: syscall(SYS_io_getevents, contexts[i], 0, 4, ev, &zero); break;
	default:
		for (int k = 0; k < 3; k++) {
			char *p = some_memory(&n);

			cb[k] = (struct iocb){ .aio_lio_opcode = (uint16_t[]){ IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC, IOCB_CMD_POLL,
									       IOCB_CMD_PREADV }[rnd(5)],
					       .aio_fildes = (uint32_t)some_fd(),
					       .aio_buf = (uintptr_t)p,
					       .aio_nbytes = n,
					       .aio_offset = rnd(1 << 17) };
			if (cb[k].aio_lio_opcode == IOCB_CMD_POLL)
				cb[k].aio_buf = rnd(0x20), cb[k].aio_nbytes = 0, cb[k].aio_offset = 0;
			if (one_in(4))
				cb[k].aio_flags = IOCB_FLAG_RESFD, cb[k].aio_resfd = (uint32_t)some_fd();
			each[k] = &cb[k];
		}
		syscall(SYS_io_submit, contexts[i], 1 + rnd(3), each);
	}
}

static void newer_file_calls(void)
{
	struct open_how how = { .flags = O_RDWR | O_NONBLOCK | (one_in(2) ? O_CREAT : 0),
				.resolve = one_in(2) ? 0 : 1u << rnd(6) };
	union {
		struct file_handle h;
		char room[128 + sizeof(struct file_handle)];
	} handle = { .h = { .handle_bytes = 128 } };
	struct statx stx;
	struct iovec iov[2];
	char value[64] = "v";
	int mount_id, fd = some_fd();
	uint32_t first = 100 + rnd(150);

	if (how.flags & O_CREAT)
		how.mode = 0600;
	for (int i = 0; i < 2; i++)
		iov[i].iov_base = some_memory(&iov[i].iov_len);
	switch (rnd(14)) {
	case 0: keep((int)syscall(SYS_openat2, AT_FDCWD, some_name(), &how, sizeof(how))); break;
	case 1: syscall(SYS_close_range, first, first + rnd(8), one_in(2) ? 0 : 4 /* CLOEXEC */); break;
	case 2: statx(AT_FDCWD, some_name(), one_in(2) ? AT_SYMLINK_NOFOLLOW : 0, STATX_ALL, &stx); break;
	case 3: preadv2(fd, iov, 2, one_in(2) ? -1 : (off_t)rnd(1 << 17), (int)(1u << rnd(5))); break;
	case 4: pwritev2(fd, iov, 2, one_in(2) ? -1 : (off_t)rnd(1 << 17), (int)(1u << rnd(5))); break;
	case 5: syscall(SYS_faccessat2, AT_FDCWD, some_name(), rnd(8), one_in(2) ? AT_EACCESS : 0); break;
	case 6:
		if (name_to_handle_at(AT_FDCWD, some_name(), &handle.h, &mount_id, 0) == 0)
			keep(open_by_handle_at(AT_FDCWD, &handle.h, O_RDWR | O_NONBLOCK));
		break;
	case 7: setxattr(some_name(), one_in(2) ? "user.a" : "trusted.b", value, rnd(sizeof(value)), (int)rnd(3)); break;
	case 8: getxattr(some_name(), "user.a", value, sizeof(value)); break;
	case 9: removexattr(some_name(), one_in(2) ? "user.a" : "trusted.b"); break;
	case 10: if (vmsplice(fd, iov, 1 + rnd(2), SPLICE_F_NONBLOCK | (one_in(4) ? SPLICE_F_GIFT : 0))) {} break;
	case 11: readahead(fd, rnd(1 << 17), rnd(1 << 17)); break;
	case 12: /* a mount that is nowhere */
		if (one_in(3)) {
			int fs = (int)syscall(SYS_fsopen, "tmpfs", 1);

			if (syscall(SYS_fsconfig, fs, 6 /* CREATE */, NULL, NULL, 0) == 0)
				keep((int)syscall(SYS_fsmount, fs, 1, 0));
			keep(fs);
		}
		break;
	default: keep((int)syscall(SYS_open_tree, AT_FDCWD, some_name(), one_in(2) ? 0 : 1 /* OPEN_TREE_CLONE */)); break;
	}
}

static void newer_memory_calls(void)
{
	uint32_t i = rnd(MAPS);
	char *addr = have.map[i].addr;
	size_t len = have.map[i].len, n;
	pid_t kid = have.kid[rnd(KIDS)];
	unsigned long nodes = 1;
	int key, where;
	struct iovec here, there;

	here.iov_base = some_memory(&here.iov_len);
	there = (struct iovec){ addr, len };
	switch (rnd(9)) {
	case 0: process_vm_readv(kid ? kid : getpid(), &here, 1, &there, 1, 0); break;
	case 1: process_vm_writev(kid ? kid : getpid(), &there, 1, &here, 1, 0); break;
	case 2: syscall(SYS_process_madvise, some_fd(), &there, 1, (int[]){ 20, 21, 3, 4 }[rnd(4)], 0); break;
	case 3: syscall(SYS_mlock2, addr, (size_t)PAGE, one_in(2) ? MLOCK_ONFAULT : 0); munlock(addr, PAGE); break;
	case 4:
		if ((key = pkey_alloc(0, rnd(4))) >= 0) {
			if (addr)
				pkey_mprotect(addr, len, PROT_READ | PROT_WRITE, key);
			pkey_free(key);
		}
		break;
	case 5: syscall(SYS_membarrier, (int[]){ 0, 1, 8, 16, 64 }[rnd(5)], 0, 0); break;
	case 6: if (addr) syscall(SYS_mbind, addr, len, rnd(5), &nodes, 2, 0); break;
	case 7: syscall(SYS_get_mempolicy, &where, NULL, 0, addr, 3); break;
	default:
		n = len / PAGE;
		if (addr && n > 1)
			syscall(SYS_remap_file_pages, addr, (size_t)PAGE, 0, rnd((uint32_t)n), 0);
		break;
	}
}

static void newer_task_calls(void)
{
	struct {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} waitv[2] = { { have.futex[0], (uintptr_t)&have.futex[0], 2, 0 }, { have.futex[1], (uintptr_t)&have.futex[1], 2 | FUTEX_PRIVATE_FLAG, 0 } };
	struct timespec soon = { 0, 0 }, tiny = { 0, 1000 };
	struct epoll_event ev[4];
	struct sched_param param = { 0 };
	struct timeval none = { 0, 0 };
	pid_t kid = have.kid[rnd(KIDS)];
	fd_set set;
	cpu_set_t cpus;
	int fd = some_fd();

	switch (rnd(13)) {
	case 0:
		clock_gettime(CLOCK_MONOTONIC, &soon);
		syscall(SYS_futex_waitv, waitv, 2, 0, &soon, CLOCK_MONOTONIC);
		break;
	case 1: syscall(SYS_epoll_pwait2, fd, ev, 4, &tiny, NULL, 8); break;
	case 2: keep((int)syscall(SYS_pidfd_getfd, fd, some_fd(), 0)); break;
	case 3: syscall(SYS_pidfd_send_signal, fd, one_in(2) ? 0 : SIGUSR1, NULL, 0); break;
	case 4: if (kid) keep((int)syscall(SYS_pidfd_open, kid, 0)); break;
	case 5: syscall(SYS_kcmp, getpid(), kid ? kid : getpid(), rnd(7), some_fd(), fd); break;
	case 6:
		FD_ZERO(&set);
		if (fd >= 0)
			FD_SET(fd, &set);
		select(fd + 1, &set, one_in(2) ? &set : NULL, NULL, &none);
		break;
	case 7:
		CPU_ZERO(&cpus);
		CPU_SET(rnd(4), &cpus);
		if (one_in(3))
			memset(&cpus, 0xff, sizeof(cpus));
		sched_setaffinity(one_in(2) ? 0 : kid, sizeof(cpus), &cpus);
		break;
	case 8: sched_setscheduler(one_in(2) ? 0 : kid, one_in(2) ? SCHED_OTHER : one_in(2) ? SCHED_BATCH : SCHED_IDLE, &param); break;
	case 9: setpriority(PRIO_PROCESS, one_in(2) ? 0 : (id_t)kid, (int)rnd(4)); break;
	case 10: unshare(one_in(2) ? CLONE_FS : CLONE_SYSVSEM); break;
	case 11: syscall(SYS_timer_gettime, have.timer[rnd(TIMERS)] - 1, &(struct itimerspec){ 0 }); break;
	default: prctl((int[]){ PR_GET_TIMERSLACK, PR_SET_PDEATHSIG, PR_SET_TIMERSLACK, PR_GET_DUMPABLE }[rnd(4)], (unsigned long)rnd(65)); break;
	}
}

/* A tracer that does not care what its tracees are doing. They stay as they are: no registers or memory but their own. */
static void tracer_calls(void)
{
	static const int requests[] = { PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_LISTEN, PTRACE_DETACH, PTRACE_CONT,
					PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_SETOPTIONS, PTRACE_GETSIGINFO, PTRACE_GETEVENTMSG,
					PTRACE_GETSIGMASK, PTRACE_PEEKDATA, PTRACE_PEEKUSER, PTRACE_KILL };
	static const int options[] = { 0, PTRACE_O_TRACESYSGOOD, PTRACE_O_TRACEEXEC, PTRACE_O_EXITKILL };
	int request = requests[rnd(sizeof(requests) / sizeof(*requests))];
	pid_t kid = have.kid[rnd(KIDS)];
	unsigned long addr = 0, data, buffer[512 / 8];
	int st;

	if (!kid)
		return;
	data = (unsigned long)buffer;
	switch (request) {
	case PTRACE_SEIZE:
	case PTRACE_SETOPTIONS: data = (unsigned long)options[rnd(4)]; break;
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH: data = one_in(4) ? rnd(65) : 0; break;
	case PTRACE_GETSIGMASK: addr = 8; break;
	case PTRACE_PEEKUSER: addr = 8 * rnd(116); break;
	case PTRACE_PEEKDATA: addr = (unsigned long)&have; break;
	}
	syscall(SYS_ptrace, request, kid, addr, data);
	if (one_in(2) && syscall(SYS_ptrace, PTRACE_GETFPREGS, kid, 0, buffer) == 0)
		syscall(SYS_ptrace, PTRACE_SETFPREGS, kid, 0, buffer);
	if (one_in(2) && syscall(SYS_ptrace, PTRACE_GETREGS, kid, 0, buffer) == 0)
		syscall(SYS_ptrace, PTRACE_SETREGS, kid, 0, buffer);
	if (one_in(8) && syscall(SYS_ptrace, PTRACE_POKEUSER, kid, 848, &have.kid) == 0)
		syscall(SYS_ptrace, PTRACE_POKEUSER, kid, 848 + 7 * 8, one_in(2) ? 1 | 0xf0000 : 0);
	if (one_in(2) && waitpid(kid, &st, WNOHANG | __WALL | WUNTRACED) == kid && !WIFSTOPPED(st))
		for (int i = 0; i < KIDS; i++)
			__atomic_compare_exchange_n(&have.kid[i], &(pid_t){ kid }, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void newer_calls(void)
{
	switch (rnd(7)) {
	case 5: tracer_calls(); break;
	case 0: queue_calls(); break;
	case 1: aio_calls(); break;
	case 2: newer_memory_calls(); break;
	case 3: newer_task_calls(); break;
	default: newer_file_calls(); break;
	}
}
