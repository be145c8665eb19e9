"""What abi/ is compared with: headers, the counterparts of structures, and the exceptions."""

# Included together; a name that the first group lacks is looked for in the second.
UAPI = """
    asm/auxvec.h asm/fcntl.h asm/hwcap2.h asm/ioctls.h asm/mman.h asm/poll.h asm/posix_types.h
    asm/prctl.h asm/resource.h asm/sigcontext.h asm/siginfo.h asm/signal.h asm/socket.h
    asm/stat.h asm/statfs.h asm/termbits.h asm/termios.h asm/ucontext.h linux/auxvec.h
    linux/capability.h linux/close_range.h linux/elf.h linux/errno.h linux/eventpoll.h
    linux/fadvise.h linux/falloc.h linux/fcntl.h linux/fiemap.h linux/fs.h linux/futex.h
    linux/hdreg.h linux/inotify.h linux/ioctl.h linux/kd.h linux/limits.h linux/magic.h
    linux/membarrier.h linux/memfd.h linux/mman.h linux/mount.h linux/nsfs.h linux/openat2.h
    linux/personality.h linux/pidfd.h linux/prctl.h linux/random.h linux/reboot.h
    linux/resource.h linux/rseq.h linux/rtc.h linux/sched.h linux/sched/types.h linux/seccomp.h
    linux/securebits.h linux/signal.h linux/signalfd.h linux/stat.h linux/sysinfo.h linux/time.h
    linux/timerfd.h linux/times.h linux/timex.h linux/tty.h linux/uio.h linux/un.h linux/utime.h
    linux/utsname.h linux/wait.h linux/xattr.h
""".split()
LIBC = """
    dirent.h elf.h errno.h fcntl.h netinet/in.h netinet/tcp.h netinet/udp.h poll.h sched.h
    signal.h stdio.h sys/auxv.h sys/epoll.h sys/eventfd.h sys/file.h sys/mman.h sys/mount.h
    sys/param.h sys/resource.h sys/rseq.h sys/signalfd.h sys/socket.h sys/stat.h sys/statvfs.h
    sys/syslog.h sys/timerfd.h sys/uio.h sys/un.h sys/wait.h termios.h time.h unistd.h
""".split()
GENERIC_CALLS = "RENAMEAT SET_GET_RLIMIT NEW_STAT SYS_CLONE3 MEMFD_SECRET".split()

# abi structure: (headers, its name there, {our member: theirs, or None where there is none}).
# Members that begin with __ are padding and are only compared if listed.
STRUCTS = {
    "abi_cap_data": ("linux/capability.h", "struct __user_cap_data_struct", {}),
    "abi_cap_header": ("linux/capability.h", "struct __user_cap_header_struct", {}),
    "abi_clone_args": ("linux/sched.h", "struct clone_args", {}),
    "abi_cmsghdr": ("sys/socket.h", "struct cmsghdr", {}),
    "abi_dirent64": ("dirent.h", "struct dirent64", {"sizeof": None}),
    "abi_elf64_auxv": ("elf.h", "Elf64_auxv_t", {"a_val": "a_un.a_val"}),
    "abi_elf64_dyn": ("linux/elf.h", "Elf64_Dyn", {"d_val": "d_un.d_val"}),
    "abi_elf64_ehdr": ("linux/elf.h", "Elf64_Ehdr", {}),
    "abi_elf64_nhdr": ("linux/elf.h", "Elf64_Nhdr", {}),
    "abi_elf64_phdr": ("linux/elf.h", "Elf64_Phdr", {}),
    "abi_elf64_rela": ("linux/elf.h", "Elf64_Rela", {}),
    "abi_elf64_shdr": ("linux/elf.h", "Elf64_Shdr", {}),
    "abi_elf64_sym": ("linux/elf.h", "Elf64_Sym", {}),
    "abi_epoll_event": ("linux/eventpoll.h", "struct epoll_event", {}),
    "abi_f_owner_ex": ("linux/fcntl.h", "struct f_owner_ex", {}),
    "abi_file_handle": ("fcntl.h", "struct file_handle", {}),
    "abi_flock": ("linux/fcntl.h", "struct flock", {}),
    "abi_fpstate": ("asm/sigcontext.h", "struct _fpstate_64", {}),
    "abi_fpx_sw_bytes": ("asm/sigcontext.h", "struct _fpx_sw_bytes", {}),
    "abi_fsid": ("asm/statfs.h", "__kernel_fsid_t", {}),
    "abi_futex_waitv": ("linux/futex.h", "struct futex_waitv", {}),
    "abi_inotify_event": ("linux/inotify.h", "struct inotify_event", {}),
    "abi_iovec": ("linux/uio.h", "struct iovec", {}),
    "abi_itimerspec": ("linux/time.h", "struct itimerspec", {}),
    "abi_itimerval": ("linux/time.h", "struct itimerval", {}),
    "abi_linger": ("sys/socket.h", "struct linger", {}),
    "abi_mmsghdr": ("sys/socket.h", "struct mmsghdr", {}),
    "abi_mount_attr": ("linux/mount.h", "struct mount_attr", {}),
    "abi_msghdr": ("sys/socket.h", "struct msghdr", {}),
    "abi_open_how": ("linux/openat2.h", "struct open_how", {}),
    "abi_pollfd": ("asm/poll.h", "struct pollfd", {}),
    "abi_rlimit": ("linux/resource.h", "struct rlimit", {}),
    "abi_robust_list": ("linux/futex.h", "struct robust_list", {}),
    "abi_robust_list_head": ("linux/futex.h", "struct robust_list_head", {}),
    "abi_rseq": ("linux/rseq.h", "struct rseq", {"node_id": None, "mm_cid": None}),
    "abi_rseq_cs": ("linux/rseq.h", "struct rseq_cs", {}),
    "abi_rusage": ("linux/resource.h", "struct rusage", {}),
    "abi_sched_attr": ("linux/types.h linux/sched/types.h", "struct sched_attr", {}),
    "abi_sched_param": ("linux/types.h linux/sched/types.h", "struct sched_param", {}),
    "abi_seccomp_data": ("linux/seccomp.h", "struct seccomp_data", {}),
    "abi_sigaction": (
        "asm/signal.h",
        "struct sigaction",
        {m: f"sa_{m}" for m in ("handler", "flags", "restorer", "mask")},
    ),
    "abi_sigcontext": ("asm/sigcontext.h", "struct sigcontext", {}),
    "abi_sigevent": ("asm/siginfo.h", "struct sigevent", {"sigev_tid": "_sigev_un._tid"}),
    "abi_siginfo": (
        "asm/siginfo.h",
        "siginfo_t",
        {
            "kill.pid": "si_pid",
            "kill.uid": "si_uid",
            "timer.tid": "si_tid",
            "timer.overrun": "si_overrun",
            "timer.value": "_sifields._timer._sigval",
            "rt.pid": "_sifields._rt._pid",
            "rt.uid": "_sifields._rt._uid",
            "rt.value": "si_value",
            "chld.pid": "_sifields._sigchld._pid",
            "chld.uid": "_sifields._sigchld._uid",
            "chld.status": "si_status",
            "chld.utime": "si_utime",
            "chld.stime": "si_stime",
            "fault.addr": "si_addr",
            "fault.addr_lsb": "si_addr_lsb",
            "bounds.addr": "si_addr",
            "bounds.lower": "si_lower",
            "bounds.upper": "si_upper",
            "pku.addr": "si_addr",
            "pku.pkey": "si_pkey",
            "perf.addr": "si_addr",
            "perf.data": "si_perf_data",
            "perf.type": "si_perf_type",
            "perf.flags": "si_perf_flags",
            "poll.band": "si_band",
            "poll.fd": "si_fd",
            "sys.call_addr": "si_call_addr",
            "sys.syscall": "si_syscall",
            "sys.arch": "si_arch",
        },
    ),
    "abi_signalfd_siginfo": ("linux/signalfd.h", "struct signalfd_siginfo", {}),
    "abi_sigval": ("asm/siginfo.h", "sigval_t", {}),
    "abi_sockaddr": ("sys/socket.h", "struct sockaddr", {}),
    "abi_sockaddr_storage": ("linux/socket.h", "struct __kernel_sockaddr_storage", {}),
    "abi_sockaddr_un": ("linux/un.h", "struct sockaddr_un", {}),
    "abi_stack": ("asm/signal.h", "stack_t", {}),
    "abi_stat": (
        "asm/stat.h",
        "struct stat",
        {f"st_{c}time_sec": f"st_{c}time" for c in "amc"},
    ),
    "abi_statfs": ("asm/statfs.h", "struct statfs", {}),
    "abi_statx": ("linux/stat.h", "struct statx", {}),
    "abi_statx_timestamp": ("linux/stat.h", "struct statx_timestamp", {}),
    "abi_sysinfo": ("linux/sysinfo.h", "struct sysinfo", {}),
    "abi_tcp_info": ("linux/tcp.h", "struct tcp_info", {"tcpi_wscales": None, "tcpi_bits": None}),
    "abi_termio": ("asm/termios.h", "struct termio", {}),
    "abi_termios": ("asm/termbits.h", "struct termios", {}),
    "abi_termios2": ("asm/termbits.h", "struct termios2", {}),
    "abi_timespec": ("linux/time.h", "struct timespec", {}),
    "abi_timeval": ("linux/time.h", "struct timeval", {}),
    "abi_timex": ("linux/timex.h", "struct timex", {}),
    "abi_timezone": ("linux/time.h", "struct timezone", {}),
    "abi_tms": ("linux/times.h", "struct tms", {}),
    "abi_ucontext": ("asm/signal.h asm/sigcontext.h asm/ucontext.h", "struct ucontext", {}),
    "abi_ucred": ("sys/socket.h", "struct ucred", {}),
    "abi_utimbuf": ("linux/utime.h", "struct utimbuf", {}),
    "abi_utsname": ("linux/utsname.h", "struct new_utsname", {}),
    "abi_vfs_cap_data": ("linux/capability.h", "struct vfs_cap_data", {}),
    "abi_vfs_cap_word": (
        "linux/capability.h",
        "__typeof__(((struct vfs_cap_data *)0)->data[0])",
        {},
    ),
    "abi_vfs_ns_cap_data": ("linux/capability.h", "struct vfs_ns_cap_data", {}),
    "abi_winsize": ("asm/termios.h", "struct winsize", {}),
    "abi_xstate_header": ("asm/sigcontext.h", "struct _header", {}),
}

# Arguments to try function-like macros with.
SAMPLES = {
    "S_IS": [f"({t:#x})" for t in range(0o010644, 0o160000, 0o010000)],
    "_IOC": ["(2U, 'T', 5, 8)", "(0U, 0xff, 0xff, 0)"],
    "_IO": ["('T', 1)"],
    "_IOR": ["('T', 1, int)"],
    "_IOW": ["('T', 2, char[300])"],
    "_IOWR": ["('T', 3, long)"],
    "_IOC_DIR": ["(0xC0185879)"],
    "_IOC_TYPE": ["(0xC0185879)"],
    "_IOC_NR": ["(0xC0185879)"],
    "_IOC_SIZE": ["(0xC0185879)"],
    "W_EXITCODE": ["(3, 0)", "(0, 9)"],
    "W_STOPCODE": ["(19)"],
}

# The other headers' name for ours, where the same name means another thing there.
RENAMED = {
    "SIGRTMAX": "__SIGRTMAX",  # libc's own is a call, the kernel's is not usable
    "_NSIG": "__SIGRTMAX",  # libc's _NSIG counts signal 0
}

# Names without a counterpart, or that differ from it, and why.
NEWER = "newer than the headers of Linux 6.1"
INTERNAL = "kernel-internal: no program sees it"
OURS = "our own name"
ABSENT = {
    "AT_HANDLE_FID": NEWER,
    "CLOCKFD": "the encoding of clock_getcpuclockid(3)'s result: no header has it",
    "CPUCLOCK_CLOCK_MASK": "as CLOCKFD",
    "CPUCLOCK_PERTHREAD_MASK": "as CLOCKFD",
    "CPUCLOCK_PROF": "as CLOCKFD",
    "CPUCLOCK_SCHED": "as CLOCKFD",
    "CPUCLOCK_VIRT": "as CLOCKFD",
    "ERESTARTNOHAND": INTERNAL,
    "ERESTARTNOINTR": INTERNAL,
    "ERESTARTSYS": INTERNAL,
    "ERESTART_RESTARTBLOCK": INTERNAL,
    "F_SEAL_EXEC": NEWER,
    "MAXSYMLINKS": "differs: libc's is 20, path_resolution(7) says 40",
    "MAX_ARG_STRLEN": "execve(2)",
    "MAX_ERRNO": OURS,
    "MAX_RW_COUNT": "read(2)",
    "MEMBARRIER_CMD_GET_REGISTRATIONS": NEWER,
    "MFD_EXEC": NEWER,
    "MFD_NAME_MAX": "memfd_create(2)",
    "MFD_NOEXEC_SEAL": NEWER,
    "MQUEUE_MAGIC": "statfs(2)",
    "OPEN_HOW_SIZE_VER0": "openat2(2): the size of the first struct open_how",
    "PIDFD_SIGNAL_PROCESS_GROUP": NEWER,
    "PIDFD_SIGNAL_THREAD": NEWER,
    "PIDFD_SIGNAL_THREAD_GROUP": NEWER,
    "PIDFD_THREAD": NEWER,
    "PID_FS_MAGIC": NEWER,
    "PR_GET_MDWE": NEWER,
    "PR_SET_MDWE": NEWER,
    "RSEQ_ORIG_SIZE": OURS,
    "SCM_MAX_FD": "unix(7)",
    "SOCK_TYPE_MASK": INTERNAL,
    "STATX_MNT_ID_UNIQUE": NEWER,
    "ST_VALID": "libc takes it out of f_flags",
    "SYSLOG_ACTION_CLEAR": "syslog(2)",
    "SYSLOG_ACTION_CLOSE": "syslog(2)",
    "SYSLOG_ACTION_CONSOLE_LEVEL": "syslog(2)",
    "SYSLOG_ACTION_CONSOLE_OFF": "syslog(2)",
    "SYSLOG_ACTION_CONSOLE_ON": "syslog(2)",
    "SYSLOG_ACTION_OPEN": "syslog(2)",
    "SYSLOG_ACTION_READ": "syslog(2)",
    "SYSLOG_ACTION_READ_ALL": "syslog(2)",
    "SYSLOG_ACTION_READ_CLEAR": "syslog(2)",
    "SYSLOG_ACTION_SIZE_BUFFER": "syslog(2)",
    "SYSLOG_ACTION_SIZE_UNREAD": "syslog(2)",
    "TASK_COMM_LEN": "prctl(2)",
    "USER_HZ": "time(7); getauxval(3) AT_CLKTCK",
    "abi_dirent": "getdents(2)",
    "abi_dirent64.sizeof": "libc gives d_name 256 bytes",
    "abi_tcp_info.tcpi_bits": "two bit fields there",
    "abi_tcp_info.tcpi_wscales": "two bit fields there",
    "abi_rseq.node_id": NEWER,
    "abi_rseq.mm_cid": NEWER,
    "abi_rt_sigframe": "the psABI's frame around parts that are compared",
    "abi_sigset_arg": "select(2)",
    "sys_cachestat": NEWER,
    "sys_fchmodat2": NEWER,
    "sys_futex_requeue": NEWER,
    "sys_futex_wait": NEWER,
    "sys_futex_wake": NEWER,
    "sys_listmount": NEWER,
    "sys_lsm_get_self_attr": NEWER,
    "sys_lsm_list_modules": NEWER,
    "sys_lsm_set_self_attr": NEWER,
    "sys_map_shadow_stack": NEWER,
    "sys_mseal": NEWER,
    "sys_statmount": NEWER,
}
