/*
 * Boot: each layer's set-up in the order of the layers, then process 1. What is here runs once; the
 * order is the contract of every *_init() in the headers.
 *
 * Time order on the boot CPU: CPU and traps → command line and log → physical memory and the direct
 * map → slabs and kernel addresses → the clock → per-CPU areas and the scheduler → interrupts on →
 * the other CPUs → file systems → the initramfs → process 1. This thread then becomes the boot
 * CPU's idle thread.
 */

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/page.h>
#include <arch/upcall.h>

#include "boot/init.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/ktrace.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/percpu.h"
#include "core/random.h"
#include "dev/mem.h"
#include "dev/pci/pci.h"
#include "dev/rtc.h"
#include "dev/uart16550.h"
#include "dev/virtio/virtio.h"
#include "dev/virtio/virtio_net.h"
#include "fs/devtmpfs/devtmpfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "net/socket.h"
#include "net/inet/inet.h"
#include "net/netif.h"
#include "net/netlink/diag.h"
#include "net/netlink/genl.h"
#include "net/netlink/rtnetlink.h"
#include "net/packet/packet.h"
#include "net/netlink/uevent.h"
#include "net/unix/unix.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "proc/report.h"
#include "proc/task.h"
#include "proc/uts.h"
#include "pseudofs/mqueue.h"
#include "pseudofs/procfs.h"
#include "sched/sched.h"
#include "sched/work.h"
#include "sys/mm.h"
#include "tty/console.h"
#include "tty/tty.h"
#include "vfs/epoll.h"
#include "vfs/inotify.h"
#include "vfs/lock.h"
#include "vfs/pipe.h"
#include "vfs/vfs.h"
#include "vm/vmspace.h"

static void *kva_pages(size_t pages)
{
	return kva_alloc(pages);
}

static void *ktrace_pages(size_t bytes)
{
	return kva_alloc(DIV_ROUND_UP(bytes, PAGE_SIZE));
}

static void early_log(void)
{
	log_init();
	panic_init();
	if (cmdline_get("earlycon") && arch_earlycon())
		log_add_sink(arch_earlycon());
	console_early_init();
	log_info("Kevlar %s %s", kernel_identity()->release, kernel_identity()->version);
	log_info("Command line: %s", cmdline_text());
}

static void init_memory(void)
{
	arch_map_memory(pmm_boot_page);
	pmm_init();
	slab_init();
	kva_init();
	arch_is_stack_guard = kva_is_guard;
}

static unsigned cpus_wanted = 1; /* CPUs that were given an idle thread, the boot CPU included */

static struct thread *idle_for(unsigned cpu)
{
	int64_t max = cmdline_int("maxcpus", MAX_CPUS);
	struct thread *idle = cpu < (max < 1 ? 1 : (uint64_t)max) ? sched_create_idle(cpu) : NULL;

	cpus_wanted += idle != NULL;
	return idle;
}

static unsigned count_online(void)
{
	unsigned cpu, n = 0;

	for_each_cpu (cpu)
		n++;
	return n;
}

/* Every CPU that has arrived schedules a few instructions later; one that hangs is not waited for
 * beyond a second. */
static unsigned wait_for_cpus(void)
{
	nsec_t deadline = clock_mono() + NSEC_PER_SEC;
	unsigned n;

	while ((n = count_online()) < cpus_wanted && clock_mono() < deadline)
		arch_pause();
	return n;
}

static void init_cpus(void)
{
	unsigned cpu;

	arch_cpus_init(kva_pages);
	arch_devices_init();
	clock_init(arch_counter_hz(), arch_rtc_read());
	random_init();
	ktrace_init();
	sched_init();
	arch_irq_enable();
	work_start();
	arch_cpus_start(idle_for);
	log_info("CPUs: %u, counter %lu.%03lu MHz", wait_for_cpus(),
		 (unsigned long)(arch_counter_hz() / 1000000),
		 (unsigned long)(arch_counter_hz() / 1000 % 1000));
	ktrace_alloc = ktrace_pages;
	for_each_cpu (cpu)
		if (ktrace_init_cpu(cpu))
			log_warn("ktrace: no memory for the ring of CPU %u", cpu);
}

static void init_objects(void)
{
	vm_init();
	vfs_init();
	pipe_init();
	epoll_init();
	inotify_init();
	file_lock_init();
	sys_mm_init();
	proc_init();
}

static void init_devices(void)
{
	static const struct virtio_driver *const virtio_drivers[] = { &virtio_net_driver };

	mem_devices_init();
	rtc_device_init();
	pci_init();
	virtio_init(virtio_drivers, ARRAY_SIZE(virtio_drivers));
	uart_init();
	tty_init();
}

static void init_filesystems(void)
{
	tmpfs_init();
	devtmpfs_init();
	procfs_init();
	sysfs_init();
	mqueue_init();
}

static void init_network(void)
{
	net_init();
	unix_init();
	netlink_init();
	rtnetlink_init();
	uevent_init();
	netif_init();
	inet_init();
	sock_diag_init();
	packet_init();
	genl_init();
	connector_init();
	taskstats_init();
}

void kernel_main(void)
{
	arch_early_init();
	cmdline_init(boot_info.cmdline);
	early_log();
	init_memory();
	init_cpus();
	init_objects();
	init_filesystems();
	init_network();
	init_devices();
	arch_free_init(pmm_free_boot_range);
	init_start();
	sched_idle_loop();
}

void cpu_start(unsigned cpu)
{
	pmm_init_cpu();
	sched_init_cpu(cpu);
	sched_idle_loop();
}
