// sources: kernel/core/ktrace.c kernel/lib/fmt.c kernel/lib/strutil.c kernel/lib/crc32.c
/* Rings, groups and the dump, which tools/ktrace-decode must understand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/ktrace.h"
#include "core/log.h"
#include "host_cpu.h"

static const char *option;
static int lines;

nsec_t clock_mono(void)
{
	return (nsec_t)(host_counter += 1000);
}
nsec_t clock_real(void)
{
	return clock_mono();
}
size_t cmdline_get_list(const char *name, char *buf, size_t size)
{
	(void)name;
	return (size_t)snprintf(buf, size, "%s", option ? option : "");
}
void log_f(enum log_level level, const char *f, ...)
{
	(void)level, (void)f;
	lines++;
}

nsec_t clock_from_counter(uint64_t counter)
{
	return (nsec_t)counter;
}

struct thread {
	uint32_t other, tid;
};
static struct thread thread = { 0, 42 };
struct thread *arch_curthread(void)
{
	return &thread;
}
static bool no_memory;
static void *alloc(size_t n)
{
	return no_memory ? NULL : calloc(1, n);
}

static void groups(void **state)
{
	char b[64];

	(void)state;
	ktrace_tid_offset = offsetof(struct thread, tid);
	ktrace_alloc = alloc;
	option = "nonsense";
	ktrace_init();
	assert_int_equal(ktrace_init_cpu(0), 0);
	ktrace_format_groups(b, sizeof(b));
	assert_string_equal(b, "sched,wait,signal");
	assert_true(lines > 0);
	no_memory = true;
	assert_int_equal(ktrace_set_groups("+syscall"), -ENOMEM);
	no_memory = false;
	assert_int_equal(ktrace_set_groups("mm,-wait,size=16K"), 0);
	ktrace_format_groups(b, sizeof(b));
	assert_string_equal(b, "sched,signal,mm");
	assert_int_equal(ktrace_set_groups("+vfs,bogus"), -EINVAL);
	assert_int_equal(ktrace_set_groups("size=3"), -EINVAL);
	ktrace_format_groups(b, sizeof(b));
	assert_string_equal(b, "sched,signal,mm");
	assert_int_equal(ktrace_set_groups("none"), 0);
	ktrace_format_groups(b, sizeof(b));
	assert_string_equal(b, "");
	assert_int_equal(ktrace_set_groups("all"), 0);
	ktrace_format_groups(b, sizeof(b));
	assert_string_equal(b, "syscall,sched,wait,signal,mm,proc,vfs,net");
	assert_true(ktrace_on(KT_SYSCALL));
}

/* The dump, read in pieces of `step` bytes. */
static uint8_t *read_dump(size_t step, size_t *n)
{
	uint8_t *p = malloc(1 << 20);
	size_t k;

	*n = 0;
	while ((k = ktrace_dump_read(*n, p + *n, step)) > 0)
		*n += k;
	return p;
}

static void newest_records_are_kept(void **state)
{
	const struct ktrace_dump_header *h;
	const struct ktrace_dump_cpu *c;
	const struct ktrace_record *r;
	size_t n;
	uint8_t *p;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		ktrace(KT_MM, munmap, i, 2 * i, 0, 0, 0, 0);
	p = read_dump(1 << 20, &n);
	h = (const struct ktrace_dump_header *)p;
	c = (const struct ktrace_dump_cpu *)(h + 1);
	assert_memory_equal(h->magic, "KTRACE\r\n", 8);
	assert_int_equal(h->ncpus, 1);
	assert_int_equal(c->records, 256); /* 16 KiB */
	assert_int_equal(c->lost, 744);
	assert_int_equal(n, h->header_bytes + 256 * 64);
	r = (const struct ktrace_record *)(p + h->header_bytes);
	for (unsigned i = 0; i < 256; i++) {
		assert_int_equal(r[i].arg[0], 744 + i);
		assert_int_equal(r[i].event, EV_munmap);
		assert_int_equal(r[i].tid, 42);
	}
	free(p);
}

static void pieces_agree(void **state)
{
	size_t n, m;
	uint8_t *p = read_dump(1 << 20, &n);

	(void)state;
	for (size_t step = 1; step < 300; step += 13) {
		uint8_t *q = read_dump(step, &m);

		assert_int_equal(n, m);
		assert_memory_equal(p + 128, q + 128, n - 128); /* the header has the time */
		free(q);
	}
	free(p);
}

static void overwritten_while_read(void **state)
{
	struct ktrace_record r;
	struct ktrace_dump_header h;
	uint8_t rest[64];

	(void)state;
	assert_int_equal(ktrace_dump_read(0, &h, sizeof(h)), sizeof(h));
	for (unsigned i = 0; i < 3; i++)
		ktrace(KT_MM, munmap, 0, 0, 0, 0, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ktrace_dump_read(h.header_bytes + i * 64, &r, 64), 64);
		assert_int_equal(r.event, KTRACE_LOST);
	}
	assert_int_equal(ktrace_dump_read(h.header_bytes + 3 * 64, &r, 64), 64);
	assert_int_equal(r.event, EV_munmap);
	assert_int_equal(ktrace_dump_read(1 << 30, rest, 64), 0);
}

static void last_records_for_panic(void **state)
{
	(void)state;
	lines = 0;
	ktrace_print_last(16);
	assert_int_equal(lines, 17);
}

/* A call with bytes, through the decoder. */
static void decoder_understands(void **state)
{
	static const char text[] = "a line that is longer than what one record can hold, and then some more of it: "
				   "0123456789 0123456789 0123456789";
	char name[] = "/tmp/ktrace-XXXXXX", cmd[256], line[1024] = "";
	int fd = mkstemp(name);
	FILE *f;
	size_t n;
	uint8_t *p;

	(void)state;
	ktrace_emit(EV_syscall_enter, 1, 3, 0x5000, sizeof(text) - 1, 0, 0);
	ktrace_emit(EV_syscall_arg5, 0, 0, 0, 0, 0, 0);
	ktrace_bytes(UADDR(0x5000), false, text, sizeof(text) - 1);
	ktrace_emit(EV_syscall_exit, 1, (uint64_t)-32, 0, 0, 0, 0);
	p = read_dump(1 << 20, &n);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
	free(p);
	snprintf(cmd, sizeof(cmd), "tools/ktrace-decode --strings 500 %s 2>&1 | tail -1", name);
	f = popen(cmd, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	unlink(name);
	assert_non_null(strstr(line, "write(3, \"a line that"));
	assert_non_null(strstr(line, "0123456789\", 111) = -1 EPIPE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups), cmocka_unit_test(newest_records_are_kept), cmocka_unit_test(pieces_agree),
		cmocka_unit_test(overwritten_while_read), cmocka_unit_test(last_records_for_panic),
		cmocka_unit_test(decoder_understands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
