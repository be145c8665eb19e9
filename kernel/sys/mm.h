#pragma once

/* Tells vm what it may ask about the running thread (CAP_IPC_LOCK). Boot, before user processes. */
void sys_mm_init(void);
