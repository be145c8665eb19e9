"""What the rows of the benchmark are: a group, a unit, a budget, and what they do.

The names are those of tests/bench/*.c. A row that is not listed here is shown all the same. Budgets are
design.md's, in instructions per operation.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    what: str
    budget: int | None = None
    unit: str = "instructions"


GROUPS = {
    "machine": "The machine",
    "call": "System calls and signals",
    "file": "Files (tmpfs)",
    "ipc": "Waking others, and waiting",
    "net": "Sockets",
    "wire": "Through the network card",
    "task": "Threads and processes",
    "memory": "Memory",
    "growth": "Growth",
}

_ROWS = [
    Row("boot", "machine", "kernel entry to the first instruction of process 1, firmware subtracted"),
    Row("memory", "machine", "memory that is not free when process 1 starts, initramfs included", unit="KiB"),
    Row("getpid", "call", "getpid: entry and exit", 100),
    Row("clock-vdso", "call", "clock_gettime(CLOCK_MONOTONIC) through the vDSO"),
    Row("clock-call", "call", "the same by system call"),
    Row("read-1", "call", "read 1 byte of /dev/zero", 250),
    Row("read-4k", "call", "read 4 KiB of /dev/zero"),
    Row("write-1", "call", "write 1 byte to /dev/null"),
    Row("write-4k", "call", "write 4 KiB to /dev/null"),
    Row("sigaction", "call", "install a handler, look at the one before"),
    Row("signal", "call", "tgkill to oneself, handler, return", 1200),
    Row("open-close", "file", "open and close /tmp/f", 1800),
    Row("stat", "file", "stat /tmp/f", 900),
    Row("stat-depth-10", "file", "stat of a path of 11 components"),
    Row("fstat", "file", "fstat"),
    Row("create-unlink", "file", "create, close, unlink", 4000),
    Row("rename-pair", "file", "rename there and back"),
    Row("getdents-1000", "file", "list a directory of 1,000 entries", 80000),
    Row("pread-4k", "file", "pread 4 KiB from the page cache", 900),
    Row("pwrite-4k", "file", "pwrite 4 KiB over cached pages"),
    Row("file-read-1m", "file", "read 1 MiB from the page cache, 64 KiB at a time"),
    Row("file-copy-1m", "file", "read and write 1 MiB, 64 KiB at a time"),
    Row("tree-64-files", "file", "8 directories of 8 files of 1 KiB: create, stat, read, remove"),
    Row("pipe-round-trip", "ipc", "a byte to another process and back", 4000),
    Row("pipe-1m", "ipc", "1 MiB through a pipe to another process", 350000),
    Row("eventfd-pair", "ipc", "eventfd: write, read"),
    Row("epoll-1-of-1000", "ipc", "epoll_wait with 1 of 1,000 ready", 350),
    Row("poll-100", "ipc", "poll of 100 descriptors, the last one ready", 5000),
    Row("futex-round-trip", "ipc", "two threads wake each other", 3000),
    Row("futex-wake-none", "ipc", "FUTEX_WAKE where nobody waits"),
    Row("switch-2", "ipc", "a byte round a ring of 2 processes, for each of them", 2000),
    Row("switch-8", "ipc", "a ring of 8", 2000),
    Row("switch-16", "ipc", "a ring of 16", 2000),
    Row("unix-stream-1", "net", "a byte to another process and back, AF_UNIX stream", 5000),
    Row("unix-dgram-1", "net", "the same by datagrams"),
    Row("unix-stream-64", "net", "64 KiB through an AF_UNIX stream to another process, 64 bytes at a time"),
    Row("unix-stream-4k", "net", "1 MiB, 4 KiB at a time"),
    Row("unix-stream-64k", "net", "1 MiB through an AF_UNIX stream to another process, 64 KiB at a time", 350000),
    Row("unix-socket", "net", "AF_UNIX: socket, close"),
    Row("unix-pair", "net", "socketpair, close both"),
    Row("unix-connect", "net", "socket, connect, accept, close both"),
    Row("udp-rr-1", "net", "a byte to another process and back, UDP over lo", 6000),
    Row("udp-64", "net", "64 KiB in datagrams of 64 bytes, UDP over lo, one process"),
    Row("udp-4k", "net", "1 MiB in datagrams of 4 KiB"),
    Row("udp-64k", "net", "1,048,112 bytes in datagrams of 65,507"),
    Row("udp-socket", "net", "UDP: socket, close"),
    Row("tcp-rr-1", "net", "a byte to another process and back, TCP over loopback", 7000),
    Row("tcp-64", "net", "64 KiB through a TCP connection to another process, 64 bytes at a time"),
    Row("tcp-4k", "net", "1 MiB, 4 KiB at a time"),
    Row("tcp-64k", "net", "1 MiB through a TCP connection to another process, 64 KiB at a time", 350000),
    Row("tcp-socket", "net", "TCP: socket, close"),
    Row("tcp-connect", "net", "TCP: socket, connect, accept, close both", 20000),
    Row("tcp-connect-10k", "net", "the same among 10,000 open connections", 20000),
    Row("tcp-epoll-10", "net", "a byte through one of 10 connections that epoll watches"),
    Row("tcp-epoll-10k", "net", "the same, one of 10,000"),
    Row("wire-rr-1", "wire", "a byte in and one back, TCP, the client outside"),
    Row("wire-udp-rr-1", "wire", "the same, UDP"),
    Row("wire-connect", "wire", "a TCP connection from outside: accept, a byte each way, close"),
    Row("wire-in-1m", "wire", "1 MiB that comes in, TCP"),
    Row("wire-out-1m", "wire", "1 MiB that goes out, TCP"),
    Row("nginx-1k", "wire", "nginx: a file of 1 KiB, on 16 kept connections"),
    Row("nginx-100k", "wire", "nginx: 100 KiB, on 8"),
    Row("nginx-1m", "wire", "nginx: 1 MiB, on 2"),
    Row("nginx-connect", "wire", "nginx: 1 KiB, a connection for each"),
    Row("redis-set", "wire", "redis: SET of 100 bytes, on 16 connections"),
    Row("redis-get", "wire", "redis: GET of 100 bytes, on 16 connections"),
    Row("redis-get-32", "wire", "redis: the same on 4 connections, 32 requests under way on each"),
    Row("tso-in-1m", "wire", "wire-in-1m on a card that sums, cuts and joins segments"),
    Row("tso-out-1m", "wire", "wire-out-1m on such a card"),
    Row("tso-nginx-100k", "wire", "nginx-100k on such a card"),
    Row("tso-nginx-1m", "wire", "nginx-1m on such a card"),
    Row("thread", "task", "pthread_create and pthread_join", 15000),
    Row("vfork-exit", "task", "vfork, exit, wait"),
    Row("fork-exit", "task", "fork, exit, wait; a small process", 40000),
    Row("fork-64m-huge", "task", "the same with 64 MiB touched, 2 MiB pages", 100000),
    Row("fork-64m", "task", "the same with 64 MiB touched, 4 KiB pages", 1500000),
    Row("vfork-exec", "task", "vfork, exec of a static program, exit, wait", 60000),
    Row("sh-true", "task", "sh -c true (BusyBox)", 250000),
    Row("mmap-munmap", "memory", "mmap 4 KiB, touch it, munmap", 2500),
    Row("fault-anonymous", "memory", "first write to an anonymous page", 1200),
    Row("fault-read-write", "memory", "first read of an anonymous page, then write"),
    Row("fault-2m", "memory", "first write to 2 MiB of anonymous memory, each page of it"),
    Row("fault-file", "memory", "first read of a mapped, cached file page", 500),
    Row("fault-cow", "memory", "first write to a page shared with a child", 1500),
    Row("mprotect-pair", "memory", "mprotect of a page in a larger area, there and back, touched", 3000),
    Row("brk-pair", "memory", "brk up a page, touch it, brk down", 2000),
]

ROWS = {row.name: row for row in _ROWS}

GROWTH = {
    "vma-map": "mmap 4 KiB, touch, munmap, among N VMAs",
    "vma-fault": "anonymous page fault among N VMAs",
    "fd-dup-close": "dup and close with N descriptors open",
    "epoll-1-ready": "epoll_wait with 1 of N ready",
    "timer-arm": "timer_settime among N armed timers",
    "dir-open": "open and close in a directory of N entries",
    "dir-create": "create, close, unlink in a directory of N entries",
    "task-vfork": "vfork, exit, wait among N sleeping tasks",
    "group-vfork": "vfork, exit, wait in a process group of N tasks",
    "task-kill-0": "kill(pid, 0) among N tasks",
    "task-round-trip": "a byte to another process and back, among N sleeping tasks",
    "futex-wake": "wake one of N futex waiters, until it waits again",
}


def describe(name: str) -> Row:
    base, at, count = name.partition("@")
    if at:
        return Row(name, "growth", GROWTH.get(base, base).replace(" N ", f" {int(count):,} "))
    return ROWS.get(name, Row(name, "other", ""))


# What a row that is slower than Linux would need. Shown beside it for as long as it is slower.
NEEDS: dict[str, str] = {
    "vfork-exec":
        "no single thing: 27 page faults (25,000 of 88,000, most of it leaves for 225 cached pages and "
        "their end), the exec itself (17,000: six mappings, random numbers, the stack), exit (13,000), "
        "the program's own start (10,700), its readlink of /proc/self/exe (7,300). Table pages of "
        "unwritten file mappings shared between processes would save the largest part",
    "signal":
        "of three calls into the kernel's lists (send, take, siginfo) one could do for a signal to "
        "oneself; the two ways through the kernel alone are 170, frame and registers 300, three ktrace "
        "events 110",
    "epoll-1-of-1000":
        "ready_splice and epoll_collect for a list of one: a path without the splice",
    "read-1":
        "the position's lock, /proc/PID/io's counts and fsnotify's question (30) for a device that has "
        "neither position nor watchers",
    "mmap-munmap":
        "spread thin: tree edit (600), fault (420), search for room, zap: a VMA that comes back to the "
        "same place could keep its node in the tree",
    "stat":
        "the walk (470): the root of a mount on the way is looked up by hash (fast_cross); put_stat "
        "copies what it has just written (130)",
    "tcp-connect":
        "seven segments, each found by its hash (630) and driven; two sockets and a TIME-WAIT block cleared "
        "(1,400); three hashes for first numbers and the port (930)",
    "tcp-connect-10k":
        "seven segments, each found by its hash (630) and driven; two sockets and a TIME-WAIT block cleared "
        "(1,400); three hashes for first numbers and the port (930)",
}

_VECTORS = ("moving by vector registers takes the fewest instructions, but TCG does each such move in several "
            "steps; to be measured again on hardware")

# The same by wall clock, two CPUs, where that differs from the counts.
NEEDS_BY_TIME: dict[str, str] = {
    "pread-4k": _VECTORS, "pwrite-4k": _VECTORS, "read-4k": _VECTORS, "file-read-1m": _VECTORS,
    "file-copy-1m": _VECTORS, "fault-2m": _VECTORS,
}
