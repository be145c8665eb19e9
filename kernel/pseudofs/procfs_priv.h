#pragma once

/* Shared inside pseudofs/ by the files of procfs. */

#include "proc/task.h"
#include "pseudofs/pseudo.h"

extern const struct pnode proc_pid_dir;  /* /proc/PID */
extern const struct pnode proc_task_dir; /* /proc/PID/task/TID */
extern const struct pnode proc_sys_nodes[];
extern const struct pnode proc_net_nodes[], proc_sys_net_nodes[];
extern const struct pnode proc_sys_mqueue_nodes[]; /* mqueue_fs.c */
extern const struct pnode proc_ktrace_nodes[];
extern const struct pnode proc_sysvipc_nodes[];                 /* proc_ipc.c, as what follows */
int proc_ipc_next_id_show(struct pinode *i, struct textbuf *t); /* node->ptr: struct ipc_ids */
ssize64_t proc_ipc_next_id_store(struct pinode *i, char *text, size_t n);
int proc_ipc_ulong_show(struct pinode *i, struct textbuf *t); /* node->ptr: uint64_t */
ssize64_t proc_ipc_ulong_store(struct pinode *i, char *text, size_t n);
int proc_ipc_sem_show(struct pinode *i, struct textbuf *t);
ssize64_t proc_ipc_sem_store(struct pinode *i, char *text, size_t n);
ssize64_t proc_ipc_rmid_forced_store(struct pinode *i, char *text, size_t n);
ssize64_t proc_ipc_auto_store(struct pinode *i, char *text, size_t n);

/* Fills s with the process (and its leader) of number nr; false: none. */
bool proc_subject_of(uint32_t nr, struct psubject *s);

/*
 * The task a file speaks of: the subject's task, else the process's leader. Counted; NULL when the
 * process has been reaped, for which the functions below answer NULL and -ESRCH.
 */
MUST_CHECK struct task *proc_task_get(struct pinode *i);

/* What that task has now, counted; NULL: nothing (any more). */
MUST_CHECK struct vmspace *proc_get_vmspace(struct pinode *i);
MUST_CHECK struct fdtable *proc_get_files(struct pinode *i);
MUST_CHECK struct fsctx *proc_get_fs(struct pinode *i);

/* As task_may_access(): 0, -EACCES, -ESRCH. */
MUST_CHECK int proc_may_access(struct pinode *i, enum access_mode mode);

/* A decimal name without sign or leading zero. */
MUST_CHECK bool proc_parse_number(const char *name, size_t len, uint32_t *out);

/* /proc/PID/{maps,smaps,smaps_rollup,statm,stat,status,fd,fdinfo}. */
int proc_maps_check(struct pinode *i); /* check_open of those four that tell of an address space */
int proc_maps_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_smaps_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_numa_maps_fill(struct pinode *i, uint64_t *key, struct textbuf *t);
int proc_meminfo_show(struct pinode *i, struct textbuf *t);
int proc_vmstat_show(struct pinode *i, struct textbuf *t);
int proc_slabinfo_show(struct pinode *i, struct textbuf *t);
int proc_buddyinfo_show(struct pinode *i, struct textbuf *t);
int proc_zoneinfo_show(struct pinode *i, struct textbuf *t);
int proc_smaps_rollup_show(struct pinode *i, struct textbuf *t);
int proc_stat_show(struct pinode *i, struct textbuf *t);
int proc_status_show(struct pinode *i, struct textbuf *t);
ssize64_t proc_clear_refs_store(struct pinode *i, char *text, size_t n);
int proc_statm_show(struct pinode *i, struct textbuf *t);
int proc_fd_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		 struct psubject *s);
int proc_fdinfo_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s);
bool proc_fd_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		  const struct pnode **node);
extern const struct file_ops proc_mem_ops, proc_pagemap_ops;

/* Rows that only debug kernels have. */
#ifdef KEVLAR_DEBUG
extern const struct file_ops proc_fail_ops;
#define PROC_DEBUG_NODES          \
	{ .name = "fail-nth",     \
	  .mode = S_IFREG | 0600, \
	  .fops = &proc_fail_ops, \
	  .owned_by_subject = true },
#else
#define PROC_DEBUG_NODES
#endif
