#pragma once

/*
 * The one table of lock ranks, outermost first. A thread takes locks in rising rank; debug builds
 * check it at run time. docs/locking.md is generated from here.
 *
 * Kinds: M sleeping mutex or rwlock; S spinlock taken by threads only; I spinlock also taken by
 * interrupt handlers, hence always with spin_lock_irq(). No sleeping lock is taken under a
 * spinlock.
 */

#define LOCK_RANKS(X)                                                                        \
	X(FILEPOS, 6, "M file->pos_lock: read, write and seek on a shared offset")           \
	X(PSEUDO, 8, "M the text of one open procfs or sysfs file; making it takes others")  \
	X(FSCONTEXT, 9, "M one fsopen(2) context: makes and changes superblocks")            \
	X(MOUNT, 10, "M the mount tree")                                                     \
	X(RENAME, 12, "M one cross-directory rename at a time per superblock")               \
	X(EXEC, 14, "M task->exec_lock: credentials and image change together")              \
	X(TIMEX, 15, "M what the wall clock is being steered by")                            \
	X(NLREAD, 16, "M one reader at a time of a netlink socket; makes dumps")             \
	X(NETCFG, 17, "M network devices, addresses, routes, rules")                         \
	X(SYSVIDS, 19, "M identifiers of one kind of System V objects: made, removed")       \
	X(INODE, 20, "M inode->lock: parent before child, else by address")                  \
	X(NOTIFY, 22, "M the inotify watches of one inode")                                  \
	X(NOTIFYQ, 23, "M one inotify instance: its watches and queued events")              \
	X(FSSUPER, 24, "M superblock state below an inode")                                  \
	X(EPOLLTREE, 25, "M which epoll watches which: nesting, closing of watched files")   \
	X(EPOLL, 26, "M epoll->lock; nested epolls outer before inner")                      \
	X(FLOCKALL, 27, "M which inodes have file locks: /proc/locks")                       \
	X(FLOCK, 28, "M file locks of one inode")                                            \
	X(FLOCKWAIT, 29, "M who waits for whose file lock")                                  \
	X(TTY, 30, "M tty->lock and line discipline; copies to user")                        \
	X(NETCTRL, 31, "M commands to a network device")                                     \
	X(PIPE, 32, "M pipe->lock and other stream buffers; copies to user")                 \
	X(SOCKET, 34, "M one reader at a time of a unix socket; copies to user")             \
	X(UNIXGC, 36, "M which unix sockets are in flight, and how often")                   \
	X(VMSPACE, 50, "M vmspace->lock; a page fault takes it for reading under any above") \
	X(VMOBJECT, 56, "M vmobject->lock: fill and truncate against each other")            \
	X(FSBLOCK, 70, "M file-system blocks and journal")                                   \
	X(BLKQ, 80, "M block device queue")                                                  \
	X(CONSOLEDEV, 84, "M console output order")                                          \
	X(KVA, 90, "S kernel address space")                                                 \
	X(SYSVOBJ, 91, "S one System V segment, set of semaphores or message queue")         \
	X(MQUEUE, 92, "S messages and sleepers of one POSIX message queue")                  \
	X(SYSVUNDO, 93, "S which semaphores a process has to undo")                          \
	X(MAPPINGS, 94, "S vmobject->mappings: who maps it")                                 \
	X(MCAST, 95, "S which groups devices are in")                                        \
	X(UNIXNAMES, 96, "S names of unix sockets, and the list of them all")                \
	X(NLNAMES, 97, "S ports and listeners of netlink sockets")                           \
	X(TASKSTATS, 97, "S who has registered for the records of tasks that end")           \
	X(UNIX, 98, "S one unix socket: state and queue; two by address")                    \
	X(NETLINK, 99, "S queue of one netlink socket")                                      \
	X(PROCTREE, 100, "S process tree: parents, groups, sessions, pids")                  \
	X(NETTAPS, 101, "S who sees all frames")                                             \
	X(DCACHE, 102, "S dentry hash chains and LRU")                                       \
	X(DENTRY, 103, "S one dentry: parent before child")                                  \
	X(TCP, 104, "S a TCP socket; listener before children; two joined ones by address")  \
	X(FUTEX, 105, "S futex hash bucket")                                                 \
	X(PAGECACHE, 107, "S vmobject->tree_lock: index to page")                            \
	X(INETQ, 106, "S queue of one Internet socket")                                      \
	X(INETERR, 106, "S errors that one Internet socket keeps")                           \
	X(PORTS, 108, "S who has which port, of one transport protocol")                     \
	X(FRAGS, 109, "S packets being put together")                                        \
	X(SIGNAL, 110, "I signal state of a thread group")                                   \
	X(ICMPRATE, 111, "S how many ICMP errors may be sent now")                           \
	X(CREDS, 112, "S replacing a task's credentials")                                    \
	X(NEIGHS, 113, "S table of neighbours")                                              \
	X(NEIGH, 114, "S one neighbour and what waits for it")                               \
	X(FDTABLE, 115, "S fd table of a group of tasks")                                    \
	X(FSCTX, 116, "S cwd, root, umask")                                                  \
	X(SECCOMP, 117, "S system calls that wait for the answer of one seccomp listener")   \
	X(PACKET, 117, "S queue or ring of one packet socket")                               \
	X(NETTX, 117, "S transmit queue of a network device")                                \
	X(EPOLLFILES, 118, "S which epolls watch a file")                                    \
	X(UNIXROOM, 119, "I who waits for room in a unix socket's queue; wakes pollers")     \
	X(WAITQ, 120, "I wait queue")                                                        \
	X(EPOLLREADY, 121, "I epoll ready list: filled from inside wake-ups")                \
	X(WAITQ2, 122, "I wait queue woken from inside another's wake-up: epoll_wait(2)")    \
	X(WORKQ, 124, "I the workers' wait queue: work is queued from inside wake-ups")      \
	X(TCPNEWS, 125, "S what ICMP told about TCP sockets that were busy")                 \
	X(TCPWAIT, 125, "S connections in TIME-WAIT")                                        \
	X(TCPHASH, 126, "S a part of TCP's hash table; listeners by port")                   \
	X(TCPDUE, 127, "I timers of TCP that are due")                                       \
	X(HUGE, 128, "S counts of 2 MiB blocks")                                             \
	X(RUNQ, 130, "I run queue of one CPU; two by CPU number")                            \
	X(TIMER, 138, "I timer tree of one CPU")                                             \
	X(PAGETABLE, 139, "S kernel page table")                                             \
	X(PAGES, 140, "S page allocator")                                                    \
	X(SLAB, 142, "S slab cache; its pages are got before")                               \
	X(EPOCH, 144, "I deferred frees of one CPU")                                         \
	X(RANDOM, 150, "I random generator key")                                             \
	X(CLOCK, 152, "I writers of the clock's sequence lock")                              \
	X(IRQ, 154, "I interrupt routing")                                                   \
	X(PCI, 156, "I configuration-space address and data ports")                          \
	X(UART, 196, "I transmit and receive rings of a serial port")                        \
	X(LOG, 200, "I kernel log ring: anything may log")

#define X(name, n, why) RANK_##name = n,
enum lock_rank { LOCK_RANKS(X) };
#undef X
