/*
 * Descriptor tables. The array of file pointers is published by one pointer and replaced as a whole
 * when it grows; a descriptor is free when its bit in `open` is clear; `full` has a bit for each
 * word of `open` that is all ones, so the lowest free descriptor is found in two looks (a third
 * level would begin at 262,144). A reserved descriptor has its bit set and no file yet.
 *
 * Looking up: a table with one reference belongs to the running thread alone, nobody else can close
 * anything in it, and the file is borrowed. Otherwise the file is taken with tryget under an epoch,
 * and must still be in its place afterwards.
 */

#include "vfs/fdtable.h"

#include "abi/errno.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/slab.h"
#include "sched/thread.h"
#include "vfs/inode.h"
#include "vfs/inotify.h"
#include "vfs/lock.h"

enum { FD_FIRST = 64, FD_WORD = 64, FD_KMALLOC_MAX = 2 << 20 };

/* A new table and its first array in one piece. */
struct fdtable_first {
	struct fdtable table;
	struct fdarray array;
	_Atomic(struct file *) file[FD_FIRST];
	uint64_t open, cloexec, full;
};

static unsigned default_limit(void)
{
	return 1024;
}

unsigned (*vfs_nofile_limit)(void) = default_limit;
unsigned vfs_nr_open = 1 << 20;
static struct slab_cache *table_cache;

void fdtable_init(void)
{
	table_cache = slab_cache_create("fdtable", sizeof(struct fdtable_first), 64, NULL);
}

static void array_free(struct epoch_head *h)
{
	struct fdarray *a = container_of(h, struct fdarray, epoch);

	if (a->bytes)
		kva_free(a, page_round_up(a->bytes) >> PAGE_SHIFT);
	else
		kfree(a);
}

MUST_CHECK static struct fdarray *array_alloc(unsigned max)
{
	size_t words = max / FD_WORD, full_words = DIV_ROUND_UP(words, FD_WORD);
	size_t bytes =
		sizeof(struct fdarray) + max * sizeof(struct file *) + (2 * words + full_words) * 8;
	struct fdarray *a;

	a = bytes > FD_KMALLOC_MAX ? kva_alloc(page_round_up(bytes) >> PAGE_SHIFT) : kzalloc(bytes);
	if (a == NULL)
		return NULL;
	a->bytes = bytes > FD_KMALLOC_MAX ? bytes : 0;
	a->max = max;
	a->file = (void *)(a + 1);
	a->open = (uint64_t *)(a->file + max);
	a->cloexec = a->open + words;
	a->full = a->cloexec + words;
	return a;
}

/* Into a larger array, whose further descriptors are free. */
static void array_copy(struct fdarray *to, const struct fdarray *from)
{
	size_t words = from->max / FD_WORD;

	for (unsigned fd = 0; fd < from->max; fd++)
		atomic_store_explicit(&to->file[fd],
				      atomic_load_explicit(&from->file[fd], memory_order_relaxed),
				      memory_order_relaxed);
	memcpy(to->open, from->open, words * 8);
	memcpy(to->cloexec, from->cloexec, words * 8);
	memcpy(to->full, from->full, DIV_ROUND_UP(words, FD_WORD) * 8);
}

static inline struct fdarray *array_of(const struct fdtable *t)
{
	return atomic_load_explicit(&t->array, memory_order_relaxed);
}

/* The lowest free descriptor >= min; a->max when there is none. */
static unsigned find_free(const struct fdarray *a, unsigned min)
{
	size_t words = a->max / FD_WORD, w = min / FD_WORD;
	uint64_t free;

	if (w >= words)
		return a->max;
	free = ~a->open[w] & ~0ull << min % FD_WORD;
	if (!free) {
		w = bitmap_find_clear(a->full, words, w + 1);
		if (w >= words)
			return a->max;
		free = ~a->open[w];
	}
	return (unsigned)(w * FD_WORD) + (unsigned)__builtin_ctzll(free);
}

static void mark_open(struct fdarray *a, unsigned fd, bool cloexec)
{
	bitmap_set(a->open, fd);
	if (a->open[fd / FD_WORD] == ~0ull)
		bitmap_set(a->full, fd / FD_WORD);
	if (cloexec)
		bitmap_set(a->cloexec, fd);
	else
		bitmap_clear(a->cloexec, fd);
}

static void mark_free(struct fdtable *t, struct fdarray *a, unsigned fd)
{
	bitmap_clear(a->open, fd);
	bitmap_clear(a->full, fd / FD_WORD);
	if (fd < t->next_free)
		t->next_free = fd;
}

/* Makes room for descriptor `fd`. The lock is given up meanwhile: the caller looks again. -ENOMEM.
 */
static int grow_locked(struct fdtable *t, unsigned fd) HOLDS(&t->lock)
{
	struct fdarray *a = array_of(t), *n;
	unsigned max = a->max;

	while (max <= fd)
		max *= 2;
	spin_unlock(&t->lock);
	n = array_alloc(max);
	spin_lock(&t->lock);
	if (n == NULL)
		return -ENOMEM;
	a = array_of(t);
	if (a->max >= max) { /* another thread was faster; nobody has seen n */
		array_free(&n->epoch);
		return 0;
	}
	array_copy(n, a);
	atomic_store_explicit(&t->array, n, memory_order_release);
	if (a != t->first)
		epoch_free(&a->epoch, array_free);
	return 0;
}

struct fdtable *fdtable_create(void)
{
	struct fdtable_first *f = slab_zalloc(table_cache);

	if (f == NULL)
		return NULL;
	ref_init(&f->table.ref);
	spin_init(&f->table.lock, RANK_FDTABLE);
	f->array.max = FD_FIRST;
	f->array.file = f->file;
	f->array.open = &f->open;
	f->array.cloexec = &f->cloexec;
	f->array.full = &f->full;
	f->table.first = &f->array;
	atomic_init(&f->table.array, &f->array);
	return &f->table;
}

void fdtable_get(struct fdtable *t)
{
	ref_get(&t->ref);
}

static void table_free(struct epoch_head *h)
{
	/* The first array's head: it lies in the table. */
	slab_free(table_cache, container_of(h, struct fdtable_first, array.epoch));
}

/* Every close(2) of a descriptor: what is tied to it rather than to the open file. */
static int close_file(struct fdtable *t, struct file *f)
{
	int err = 0;

	if (UNLIKELY(f->ops->flush != NULL))
		err = f->ops->flush(f);
	if (UNLIKELY(atomic_load_explicit(&f->inode->locks, memory_order_relaxed) != NULL) &&
	    !(f->mode & FMODE_PATH))
		file_lock_close_posix(f, t);
	if (UNLIKELY(f->mode & FMODE_NOTIFY))
		dnotify_close(f, t);
	file_put(f);
	return err;
}

void fdtable_put(struct fdtable *t)
{
	struct fdarray *a;

	if (!ref_put(&t->ref))
		return;
	a = array_of(t);
	for (size_t w = 0; w < a->max / FD_WORD; w++)
		for (uint64_t bits = a->open[w]; bits != 0; bits &= bits - 1) {
			struct file *f = atomic_load_explicit(
				&a->file[w * FD_WORD + (size_t)__builtin_ctzll(bits)],
				memory_order_relaxed);

			if (f != NULL)
				(void)close_file(t, f);
		}
	if (a != t->first)
		epoch_free(&a->epoch, array_free);
	epoch_free(&t->first->epoch, table_free);
}

/* One past the highest descriptor in use, below max. */
static unsigned used_below(const struct fdarray *a, unsigned max)
{
	for (size_t w = MIN(a->max, max > a->max ? a->max : ALIGN_UP(max, FD_WORD)) / FD_WORD;
	     w-- > 0;)
		if (a->open[w])
			return MIN((unsigned)(w * FD_WORD) + FD_WORD -
					   (unsigned)__builtin_clzll(a->open[w]),
				   max);
	return 0;
}

static void copy_files_locked(struct fdarray *to, const struct fdarray *from, unsigned n)
{
	for (unsigned fd = 0; fd < n; fd++) {
		struct file *f = atomic_load_explicit(&from->file[fd], memory_order_relaxed);

		if (f == NULL)
			continue;
		file_get(f);
		atomic_store_explicit(&to->file[fd], f, memory_order_relaxed);
		mark_open(to, fd, bitmap_test(from->cloexec, fd));
	}
}

struct fdtable *fdtable_dup(struct fdtable *src, unsigned max_fd)
{
	struct fdtable *t = fdtable_create();
	unsigned n;

	if (t == NULL)
		return NULL;
	for (;;) {
		int err;

		spin_lock(&src->lock);
		n = used_below(array_of(src), max_fd);
		if (n <= array_of(t)->max)
			break;
		spin_unlock(&src->lock);
		spin_lock(&t->lock);
		err = grow_locked(t, n - 1);
		spin_unlock(&t->lock);
		if (err) {
			fdtable_put(t);
			return NULL;
		}
	}
	copy_files_locked(array_of(t), array_of(src), n);
	t->next_free = 0;
	spin_unlock(&src->lock);
	return t;
}

static inline struct file *file_at(const struct fdarray *a, unsigned fd)
{
	return LIKELY(fd < a->max) ? atomic_load_explicit(&a->file[fd], memory_order_acquire)
				   : NULL;
}

static struct file *get_shared(struct fdtable *t, unsigned fd)
{
	struct file *f;

	for (;;) {
		epoch_enter();
		f = file_at(atomic_load_explicit(&t->array, memory_order_acquire), fd);
		if (f != NULL && !file_tryget(f)) {
			epoch_exit();
			continue; /* closed just now: the slot is cleared before the count falls */
		}
		epoch_exit();
		if (f == NULL ||
		    file_at(atomic_load_explicit(&t->array, memory_order_acquire), fd) == f)
			return f;
		file_put(f);
	}
}

struct fdref fdref_get_path(int fd)
{
	struct fdtable *t = curthread()->files;

	if (LIKELY(ref_count(&t->ref) == 1))
		return (struct fdref){ file_at(array_of(t), (unsigned)fd), false };
	struct file *f = get_shared(t, (unsigned)fd);

	return (struct fdref){ f, f != NULL };
}

struct fdref fdref_get_shared(int fd)
{
	struct fdref r = fdref_get_path(fd);

	if (r.file != NULL && r.file->mode & FMODE_PATH) {
		fdref_put(r);
		r = (struct fdref){ NULL, false };
	}
	return r;
}

bool fdview_get(struct fdview *v)
{
	struct fdtable *t = curthread()->files;
	struct fdarray *a = array_of(t);

	v->max = a->max;
	v->file = LIKELY(ref_count(&t->ref) == 1) ? a->file : NULL;
	return v->file != NULL;
}

struct file *fdtable_get_file(struct fdtable *t, int fd)
{
	return get_shared(t, (unsigned)fd);
}

struct file *fd_get_file(int fd)
{
	struct fdref r = fdref_get(fd);

	if (r.file != NULL && !r.counted)
		file_get(r.file);
	return r.file;
}

int fd_reserve(unsigned min, bool cloexec)
{
	struct fdtable *t = curthread()->files;
	unsigned limit = vfs_nofile_limit(), fd, from;
	int err;

	spin_lock(&t->lock);
	for (;;) {
		struct fdarray *a = array_of(t);

		from = MAX(min, t->next_free);
		fd = find_free(a, from);
		if (fd >= limit) {
			err = -EMFILE;
			break;
		}
		if (LIKELY(fd < a->max)) {
			mark_open(a, fd, cloexec);
			if (min <= t->next_free)
				t->next_free = fd + 1;
			err = (int)fd;
			break;
		}
		if ((err = grow_locked(t, MAX(fd, from))))
			break;
	}
	spin_unlock(&t->lock);
	return err;
}

void fd_install(int fd, struct file *f)
{
	struct fdtable *t = curthread()->files;

	/* Under the lock only where another thread may be replacing the array. */
	if (LIKELY(ref_count(&t->ref) == 1)) {
		atomic_store_explicit(&array_of(t)->file[fd], f, memory_order_release);
		return;
	}
	spin_lock(&t->lock);
	atomic_store_explicit(&array_of(t)->file[fd], f, memory_order_release);
	spin_unlock(&t->lock);
}

void fd_unreserve(int fd)
{
	struct fdtable *t = curthread()->files;

	spin_lock(&t->lock);
	mark_free(t, array_of(t), (unsigned)fd);
	spin_unlock(&t->lock);
}

int fd_add(struct file *f, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd >= 0)
		fd_install(fd, f);
	return fd;
}

/* Takes the file out of its slot; NULL: none there (also: only reserved). */
static struct file *take_locked(struct fdtable *t, struct fdarray *a, unsigned fd)
{
	struct file *f = file_at(a, fd);

	if (f == NULL)
		return NULL;
	atomic_store_explicit(&a->file[fd], NULL, memory_order_relaxed);
	mark_free(t, a, fd);
	return f;
}

int fd_close(int fd)
{
	struct fdtable *t = curthread()->files;
	struct file *f;

	spin_lock(&t->lock);
	f = take_locked(t, array_of(t), (unsigned)fd);
	spin_unlock(&t->lock);
	return f ? close_file(t, f) : -EBADF;
}

int fd_replace(struct file *f, int newfd, bool cloexec)
{
	struct fdtable *t = curthread()->files;
	struct file *old = NULL;
	struct fdarray *a;
	int err = 0;

	if ((unsigned)newfd >= vfs_nofile_limit())
		return -EBADF;
	spin_lock(&t->lock);
	while ((unsigned)newfd >= array_of(t)->max && !err)
		err = grow_locked(t, (unsigned)newfd);
	a = array_of(t);
	if (!err) {
		old = file_at(a, (unsigned)newfd);
		if (old == NULL && bitmap_test(a->open, (unsigned)newfd)) {
			err = -EBUSY; /* being opened by another thread */
		} else {
			mark_open(a, (unsigned)newfd, cloexec);
			atomic_store_explicit(&a->file[newfd], f, memory_order_release);
		}
	}
	spin_unlock(&t->lock);
	if (err)
		return err;
	if (old != NULL)
		(void)close_file(t, old);
	return newfd;
}

int fd_dup_to(int fd, int newfd, bool cloexec)
{
	struct fdref r = fdref_get_path(fd);

	if (r.file == NULL)
		return -EBADF;
	if (!r.counted)
		file_get(r.file);
	newfd = fd_replace(r.file, newfd, cloexec);
	if (newfd < 0)
		file_put(r.file);
	return newfd;
}

static void set_cloexec_range(struct fdtable *t, unsigned first, unsigned last)
{
	struct fdarray *a;

	spin_lock(&t->lock);
	a = array_of(t);
	for (unsigned fd = first; fd <= last && fd < a->max; fd++)
		if (bitmap_test(a->open, fd))
			bitmap_set(a->cloexec, fd);
	spin_unlock(&t->lock);
}

/* Takes the first open file in [*fd, last] out; *fd goes past it. NULL at the end. */
static struct file *take_next(struct fdtable *t, unsigned *fd, unsigned last)
{
	struct file *f = NULL;
	struct fdarray *a;

	spin_lock(&t->lock);
	a = array_of(t);
	while (f == NULL && *fd <= last && *fd < a->max) {
		size_t next = bitmap_find_set(a->open, a->max, *fd);

		if (next >= a->max || next > last) {
			*fd = a->max;
			break;
		}
		f = take_locked(t, a, (unsigned)next);
		*fd = (unsigned)next + 1;
	}
	spin_unlock(&t->lock);
	return f;
}

int fd_close_range(unsigned first, unsigned last, bool set_cloexec_only)
{
	struct fdtable *t = curthread()->files;
	struct file *f;

	if (first > last)
		return -EINVAL;
	if (set_cloexec_only) {
		set_cloexec_range(t, first, last);
		return 0;
	}
	while ((f = take_next(t, &first, last)) != NULL)
		(void)close_file(t, f);
	return 0;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	unsigned fd = 0;

	for (;;) {
		struct file *f = NULL;
		struct fdarray *a;
		size_t next;

		spin_lock(&t->lock);
		a = array_of(t);
		next = bitmap_find_set(a->cloexec, a->max, fd);
		if (next < a->max) {
			bitmap_clear(a->cloexec, next);
			f = take_locked(t, a, (unsigned)next);
		}
		spin_unlock(&t->lock);
		if (next >= a->max)
			return;
		if (f != NULL)
			(void)close_file(t, f);
		fd = (unsigned)next + 1;
	}
}

int fdtable_get_cloexec(struct fdtable *t, int fd)
{
	struct fdarray *a;
	int ret = -EBADF;

	spin_lock(&t->lock);
	a = array_of(t);
	if (file_at(a, (unsigned)fd) != NULL)
		ret = bitmap_test(a->cloexec, (unsigned)fd);
	spin_unlock(&t->lock);
	return ret;
}

int fd_get_cloexec(int fd)
{
	return fdtable_get_cloexec(curthread()->files, fd);
}

int fd_set_cloexec(int fd, bool on)
{
	struct fdtable *t = curthread()->files;
	struct fdarray *a;
	int ret = -EBADF;

	spin_lock(&t->lock);
	a = array_of(t);
	if (file_at(a, (unsigned)fd) != NULL) {
		if (on)
			bitmap_set(a->cloexec, (unsigned)fd);
		else
			bitmap_clear(a->cloexec, (unsigned)fd);
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

int fdtable_next(struct fdtable *t, unsigned from, struct file **out)
{
	struct fdarray *a;
	int ret = -1;

	spin_lock(&t->lock);
	a = array_of(t);
	for (size_t fd = from; fd < a->max && ret < 0; fd++) {
		struct file *f;

		fd = bitmap_find_set(a->open, a->max, fd);
		if (fd >= a->max)
			break;
		f = file_at(a, (unsigned)fd);
		if (f == NULL)
			continue;
		file_get(f);
		*out = f;
		ret = (int)fd;
	}
	spin_unlock(&t->lock);
	return ret;
}

unsigned fdtable_count(struct fdtable *t)
{
	unsigned n = 0;
	struct fdarray *a;

	spin_lock(&t->lock);
	a = array_of(t);
	for (size_t w = 0; w < a->max / FD_WORD; w++)
		n += (unsigned)__builtin_popcountll(a->open[w]);
	spin_unlock(&t->lock);
	return n;
}
