/* The sets of flags.def, and which of their bits are supported. */
#pragma once

#include <stdint.h>

enum flag_set {
	FS_accept4,
	FS_access,
	FS_af,
	FS_arch_prctl,
	FS_at_access,
	FS_at_chmod,
	FS_at_chown,
	FS_at_exec,
	FS_at_handle,
	FS_at_link,
	FS_at_mount,
	FS_at_stat,
	FS_at_statx,
	FS_at_unlink,
	FS_at_utime,
	FS_clock,
	FS_clone,
	FS_close_range,
	FS_dup3,
	FS_epoll,
	FS_epoll_create,
	FS_epoll_ctl,
	FS_eventfd,
	FS_fadvise,
	FS_fallocate,
	FS_fcntl,
	FS_flock,
	FS_fsconfig,
	FS_fsmount,
	FS_fsopen,
	FS_fspick,
	FS_futex,
	FS_futex_bits,
	FS_getrandom,
	FS_idtype,
	FS_inotify,
	FS_inotify_init,
	FS_ioctl,
	FS_itimer,
	FS_madvise,
	FS_membarrier,
	FS_membarrier_cmd,
	FS_memfd,
	FS_mlock2,
	FS_mlockall,
	FS_mmap,
	FS_mmap_prot,
	FS_mount,
	FS_mount_attr,
	FS_move_mount,
	FS_mremap,
	FS_msg,
	FS_msync,
	FS_open,
	FS_open_tree,
	FS_personality,
	FS_pidfd,
	FS_pidfd_signal,
	FS_pipe2,
	FS_poll,
	FS_prctl,
	FS_prio,
	FS_ptrace,
	FS_reboot,
	FS_rename,
	FS_resolve,
	FS_rlimit,
	FS_rseq,
	FS_rusage,
	FS_rwf,
	FS_sa,
	FS_sched,
	FS_sched_attr,
	FS_sched_bits,
	FS_seal,
	FS_seccomp,
	FS_seccomp_op,
	FS_seek,
	FS_shut,
	FS_sig,
	FS_sigev,
	FS_sigmask,
	FS_signalfd,
	FS_so,
	FS_socktype,
	FS_socktype_bits,
	FS_sol,
	FS_splice,
	FS_ss,
	FS_statx,
	FS_sync_range,
	FS_syslog,
	FS_timer,
	FS_timerfd,
	FS_timerfd_set,
	FS_umount,
	FS_unshare,
	FS_wait,
	FS_xattr,
};

#define FLAG_MASK_NONE(value)    0
#define FLAG_MASK_PARTIAL(value) (uint64_t)(value)
#define FLAG_MASK_FULL(value)    (uint64_t)(value)

/*
 * The bits of a set that the kernel knows: a call with any other is refused with EINVAL.
 *   set      a constant: the function becomes one then, too
 *   returns  the union of the values whose level is not NONE
 */
static inline __attribute__((always_inline)) uint64_t flags_supported(enum flag_set set)
{
	uint64_t mask = 0;

#define FLAG(s, name, value, level) mask |= set == FS_##s ? FLAG_MASK_##level(value) : 0;
#include "abi/flags.def"
#undef FLAG
	return mask;
}
