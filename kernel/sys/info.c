#include "sys/syscalls.h"

/*
 * What the system is and how it is: uname(2), sysinfo(2), the kernel log, random bytes,
 * personality(2), and the end of it all, reboot(2).
 */

#include <arch/boot.h>
#include <arch/cpu.h>

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/personality.h"
#include "abi/random.h"
#include "abi/reboot.h"
#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "proc/task.h"
#include "proc/uts.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vm/pagecache.h"
#include "vm/usercopy.h"

/* --- names --- */

/* personality(2) UNAME26: 4.x, and what came after, is 2.6.(60 + x). */
static void release26(char *out, size_t size, const char *release)
{
	const char *p = strchr(release, '.');
	unsigned minor = 0;

	while (p != NULL && *++p >= '0' && *p <= '9')
		minor = minor * 10 + (unsigned)(*p - '0');
	while (p != NULL && (*p == '.' || (*p >= '0' && *p <= '9')))
		p++;
	fmt(out, size, "2.6.%u%s", 60 + minor, p != NULL ? p : "");
}

int64_t sys_uname(uaddr_t buf)
{
	const struct kernel_identity *k = kernel_identity();
	uint32_t persona = curtask()->personality;
	struct abi_utsname u;

	memset(&u, 0, sizeof(u));
	(void)!strscpy(u.sysname, k->sysname, sizeof(u.sysname));
	if (UNLIKELY(persona & UNAME26))
		release26(u.release, sizeof(u.release), k->release);
	else
		(void)!strscpy(u.release, k->release, sizeof(u.release));
	(void)!strscpy(u.version, k->version, sizeof(u.version));
	(void)!strscpy(u.machine, (persona & PER_MASK) == PER_LINUX32 ? "i686" : k->machine,
		       sizeof(u.machine));
	uts_get(UTS_NODENAME, u.nodename);
	uts_get(UTS_DOMAINNAME, u.domainname);
	return copy_to_user(buf, &u, sizeof(u));
}

static int64_t set_name(enum uts_name which, uaddr_t name, int32_t len)
{
	char text[UTS_LEN];

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LEN)
		return -EINVAL;
	if (copy_from_user(text, name, (size_t)len))
		return -EFAULT;
	uts_set(which, text, (size_t)len);
	return 0;
}

int64_t sys_sethostname(uaddr_t name, int32_t len)
{
	return set_name(UTS_NODENAME, name, len);
}

int64_t sys_setdomainname(uaddr_t name, int32_t len)
{
	return set_name(UTS_DOMAINNAME, name, len);
}

/* --- state --- */

static unsigned count_tasks(void)
{
	struct process *p;
	unsigned n = 0;

	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		n += MAX(1u, atomic_load_explicit(&p->ntasks, memory_order_relaxed));
		process_put(p);
	}
	return n;
}

int64_t sys_sysinfo(uaddr_t info)
{
	struct abi_sysinfo s;

	memset(&s, 0, sizeof(s));
	s.uptime = (clock_mono() + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	sched_loadavg(s.loads);
	s.totalram = pmm_total_pages() * PAGE_SIZE;
	s.freeram = pmm_free_pages() * PAGE_SIZE;
	s.sharedram = pagecache_shmem_pages() * PAGE_SIZE;
	s.procs = (uint16_t)MIN(count_tasks(), 65535u);
	s.mem_unit = 1;
	return copy_to_user(info, &s, sizeof(s));
}

int64_t sys_personality(uint32_t persona)
{
	struct task *t = curtask();
	uint32_t old = t->personality;

	if (persona != 0xffffffff)
		t->personality = persona;
	return old;
}

/* --- random bytes --- */

static int wait_for_random(unsigned flags)
{
	while (!(flags & GRND_INSECURE) && !random_is_ready()) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		if (thread_sleep_until(clock_mono() + 10 * NSEC_PER_MSEC, THREAD_SLEEP_INTR) ==
		    -ERESTARTSYS)
			return -ERESTARTSYS;
	}
	return 0;
}

int64_t sys_getrandom(uaddr_t buf, uint64_t len, uint32_t flags)
{
	uint8_t bytes[256];
	uint64_t done = 0;
	int err;

	if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((err = wait_for_random(flags)))
		return err;
	len = MIN(len, (uint64_t)INT32_MAX);
	while (done < len) {
		size_t n = MIN(len - done, sizeof(bytes));

		random_bytes(bytes, n);
		if (copy_to_user(uaddr_add(buf, done), bytes, n)) {
			err = -EFAULT;
			break;
		}
		done += n;
		thread_resched_point();
		if (done < len && signal_pending()) /* 256 bytes are never cut short */
			break;
	}
	memset(bytes, 0, sizeof(bytes));
	__asm__ volatile("" : : "r"(bytes) : "memory");
	return done ? (int64_t)done : err;
}

/* --- reboot --- */

static NORETURN void stop_machine(uint32_t op)
{
	(void)sys_sync();
	switch (op) {
	case LINUX_REBOOT_CMD_POWER_OFF:
		log_f(LOG_EMERG, "reboot: Power down");
		arch_poweroff();
	case LINUX_REBOOT_CMD_HALT:
		log_f(LOG_EMERG, "reboot: System halted");
		arch_cpus_stop();
		arch_halt_forever();
	default:
		log_f(LOG_EMERG, "reboot: Restarting system");
		arch_reboot();
	}
}

static bool magic_is_known(uint32_t magic2)
{
	return magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
	       magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C;
}

int64_t sys_reboot(uint64_t magic, uint64_t magic2, uint32_t op, uaddr_t arg)
{
	(void)arg; /* of RESTART2: a hint to the firmware */
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if ((uint32_t)magic != LINUX_REBOOT_MAGIC1 || !magic_is_known((uint32_t)magic2))
		return -EINVAL;
	switch (op) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* no keyboard is watched for these keys */
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		stop_machine(op);
	default:
		return -EINVAL;
	}
}
