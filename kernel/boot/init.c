/*
 * From the initramfs to process 1, with Linux's rules: `rdinit=` (default /init) from the
 * initramfs. Linux would mount root= when it is not there; with no disks yet, the initramfs itself
 * is that root unless `rdinit=` asked for something else: `init=` or the first of /sbin/init,
 * /etc/init, /bin/init, /bin/sh. What the kernel did not understand of the command line becomes
 * init's arguments and environment.
 */

#include "boot/init.h"

#include <arch/boot.h>
#include <arch/context.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "core/panic.h"
#include "fs/initramfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/string.h"
#include "net/inet/ipconfig.h"
#include "pmm/page.h"
#include "proc/exec.h"
#include "proc/task.h"
#include "proc/uts.h"
#include "sched/sched.h"
#include "vfs/chrdev.h"
#include "vfs/fdtable.h"
#include "vfs/namei.h"
#include "vm/vmspace.h"

enum { INIT_ARGS = 32 };

static const char *init_argv[INIT_ARGS] = { "" };
static const char *init_envp[INIT_ARGS] = { "HOME=/", "TERM=linux" };

/* What Linux's built-in initramfs holds: enough for a console when the real one brings no /dev. */
static void make_default_tree(void)
{
	if (vfs_mkdir(AT_FDCWD, "/dev", 0755) ||
	    vfs_mknod(AT_FDCWD, "/dev/console", S_IFCHR | 0600, mkdev(5, 1)) ||
	    vfs_mkdir(AT_FDCWD, "/root", 0700))
		log_warn("initramfs: no memory for /dev");
}

static void unpack_initramfs(void)
{
	paddr_t start = boot_info.initrd_start, end = boot_info.initrd_end;

	if (start == end) {
		log_warn("no initramfs was loaded");
		return;
	}
	/* Damage has been logged with its offset; what was unpacked stays, as on Linux. */
	if (initramfs_unpack(phys_to_virt(start), end - start))
		log_err("initramfs: unpacking ended early");
	pmm_free_boot_range(start, end);
}

static void limit_root(void)
{
	struct path root;

	fsctx_get_root(curthread()->fs, &root);
	tmpfs_limit_root(root.mnt->sb);
	path_put(&root);
}

static void open_console(void)
{
	struct file *f;
	int err = file_open_at(AT_FDCWD, "/dev/console", O_RDWR, 0, 0, &f);

	if (err) {
		log_warn("unable to open an initial console (error %d)", err);
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_get(f);
		if (fd_add(f, false) < 0)
			file_put(f);
	}
	file_put(f);
}

/* Runs `path`; returns only its error. */
static int try_init(const char *path)
{
	int err;

	init_argv[0] = path;
	log_info("Run %s as init process", path);
	err = exec_kernel(path, init_argv, init_envp);
	if (err == 0)
		arch_enter_user(thread_regs(curthread()));
	return err;
}

static bool exists(const char *path)
{
	struct path p;

	if (walk_path(AT_FDCWD, path, WALK_FOLLOW, &p))
		return false;
	path_put(&p);
	return true;
}

static void try_defaults(void)
{
	static const char *const places[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	const char *init = cmdline_get("init");
	int err;

	if (init != NULL) {
		err = try_init(init);
		panic("Requested init %s failed (error %d).", init, err);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		err = exists(places[i]) ? try_init(places[i]) : -ENOENT;
		if (err != -ENOENT)
			log_err("Starting init: %s exists but couldn't execute it (error %d)",
				places[i], err);
	}
}

/* `debug=` is a comma list. */
static bool debug_wants(const char *word)
{
	char list[128], *item = list;
	size_t n = cmdline_get_list("debug", list, sizeof(list));

	for (char *p = list; n > 0 && item; item = p ? p + 1 : NULL) {
		if ((p = strchr(item, ',')) != NULL)
			*p = 0;
		if (str_eq(item, word))
			return true;
	}
	return false;
}

static void finish_network(void)
{
	const char *host = ipconfig_finish();

	if (*host)
		uts_set(UTS_NODENAME, host, strlen(host));
}

static void init_thread(void *arg)
{
	const char *rdinit = cmdline_get("rdinit");
	int err;

	(void)arg;
	if (debug_wants("selftest")) {
		sched_selftest();
		vm_selftest();
	}
	if (debug_wants("stuck"))
		watchdog_selftest();
	ipconfig_start();
	make_default_tree();
	unpack_initramfs();
	limit_root();
	finish_network();
	cmdline_get("init");
	cmdline_for_init(init_argv + 1, init_envp + 2, INIT_ARGS - 2);
	open_console();
	if (exists(rdinit ? rdinit : "/init")) {
		err = try_init(rdinit ? rdinit : "/init");
		log_err("Failed to execute %s (error %d)", init_argv[0], err);
	} else if (rdinit != NULL) {
		panic("rdinit=%s is not in the initramfs, and there is no root device.", rdinit);
	}
	try_defaults();
	panic("No working init found. Try passing init= option to kernel.");
}

void init_start(void)
{
	struct path root;

	if (mount_init_root(tmpfs_type(), &root) || process_create_init(&root, init_thread, NULL))
		panic("no memory for process 1");
	path_put(&root);
}
