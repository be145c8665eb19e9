#pragma once

/* Shared inside pseudofs/ by the files of procfs. */

#include "pseudofs/pseudo.h"

extern const struct pnode proc_pid_dir;  /* /proc/PID */
extern const struct pnode proc_task_dir; /* /proc/PID/task/TID */
extern const struct pnode proc_sys_nodes[];
extern const struct pnode proc_ktrace_nodes[];

/* Fills s with the process (and its leader) of number nr; false: none. */
bool proc_subject_of(uint32_t nr, struct psubject *s);

/* The task a file speaks of: the subject's task, else the process's leader. Borrowed. */
struct task *proc_task(struct pinode *i);

/* A decimal name without sign or leading zero. */
MUST_CHECK bool proc_parse_number(const char *name, size_t len, uint32_t *out);

/* /proc/PID/{maps,smaps,smaps_rollup,statm,stat,status,fd,fdinfo}. */
int proc_maps_show(struct pinode *i, struct textbuf *t);
int proc_smaps_show(struct pinode *i, struct textbuf *t);
int proc_smaps_rollup_show(struct pinode *i, struct textbuf *t);
int proc_stat_show(struct pinode *i, struct textbuf *t);
int proc_status_show(struct pinode *i, struct textbuf *t);
int proc_statm_show(struct pinode *i, struct textbuf *t);
int proc_fd_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		 struct psubject *s);
int proc_fdinfo_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s);
bool proc_fd_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		  const struct pnode **node);
extern const struct file_ops proc_mem_ops, proc_pagemap_ops;
