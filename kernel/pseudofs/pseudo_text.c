/*
 * Reading and writing the files of procfs and sysfs whose content is text: see pseudo.h.
 *
 * A node with `show` is made as a whole when a read starts at offset 0, into a buffer that belongs
 * to the open file, so that a reader with a small buffer sees one consistent state. A node with
 * `fill` is made in pieces: the buffer has the text from file offset `start` on, and `key` names
 * the record behind it. A reader that goes on where it stopped pays for what it gets; one that
 * jumps pays for the way from the beginning, since only the text itself tells where a record
 * begins.
 */

#include "pseudofs/pseudo.h"

#include "abi/errno.h"
#include "pmm/slab.h"
#include "sched/thread.h"
#include "vm/uio.h"

enum { TEXT_FIRST = 4096, TEXT_MAX = 64 << 20, STORE_MAX = 4096 };

struct ptext {
	struct mutex lock; /* PSEUDO: all of this */
	char *buf;
	size_t size, len;
	off64_t start; /* fill: file offset of buf[0] */
	uint64_t key;  /* fill: what comes behind the buffer */
	bool at_end;   /* fill: nothing does */
};

static int pseudo_open(struct inode *i, struct file *f)
{
	struct pinode *p = pinode_of(i);
	struct ptext *t;
	int err;

	if (p->node->check_open && (err = p->node->check_open(p)))
		return err;
	if ((t = kzalloc(sizeof(*t))) == NULL)
		return -ENOMEM;
	mutex_init(&t->lock, RANK_PSEUDO);
	f->priv = t;
	return 0;
}

static void pseudo_release(struct file *f)
{
	struct ptext *t = f->priv;

	kfree(t->buf);
	kfree(t);
}

MUST_CHECK static int resize(struct ptext *t, size_t size)
{
	if (size == t->size)
		return 0;
	if (size > TEXT_MAX)
		return -EFBIG;
	kfree(t->buf);
	t->size = t->len = 0;
	if ((t->buf = kmalloc(size)) == NULL)
		return -ENOMEM;
	t->size = size;
	return 0;
}

/* Makes the text, in a buffer that doubles until it fits. */
static int make_text(struct pinode *p, struct ptext *t)
{
	struct textbuf out;
	int err;

	for (size_t size = MAX(t->size, (size_t)TEXT_FIRST);; size *= 2) {
		if ((err = resize(t, size)))
			return err;
		out = (struct textbuf){ .buf = t->buf, .size = t->size };
		if ((err = p->node->show(p, &out)))
			return err;
		t->len = out.len;
		if (out.len < out.size)
			return 0;
		t->len = 0;
	}
}

/* The next piece; the buffer grows when not even one record fits. */
static int make_piece(struct pinode *p, struct ptext *t)
{
	struct textbuf out;
	int res;

	t->start += (off64_t)t->len;
	t->len = 0;
	for (size_t size = MAX(t->size, (size_t)TEXT_FIRST);; size *= 2) {
		if ((res = resize(t, size)))
			return res;
		out = (struct textbuf){ .buf = t->buf, .size = t->size };
		if ((res = p->node->fill(p, &t->key, &out)) < 0)
			return res;
		if (out.len < out.size)
			break;
	}
	t->len = out.len;
	t->at_end = res == 0;
	return 0;
}

int pseudo_records(struct pinode *i, uint64_t *key, struct textbuf *t, pseudo_record_fn *one)
{
	for (;;) {
		uint64_t next = *key;
		size_t at = t->len;
		int res;

		if ((res = one(i, &next, t)) <= 0)
			return res;
		if (t->len >= t->size) {
			if (at > 0)
				t->len = at; /* it begins the next piece */
			return 1;
		}
		*key = next;
	}
}

/* Copies what the buffer has from *pos on, but at most `most` bytes. */
static ssize64_t give(struct ptext *t, struct uio *u, off64_t *pos, size_t most)
{
	size_t skip = (size_t)(*pos - t->start), n = MIN(most, u->resid);

	n = uio_put(u, t->buf + skip, n);
	*pos += (off64_t)n;
	return n > 0 ? (ssize64_t)n : -EFAULT;
}

/*
 * Bytes of s[0..n) up to the last end of a line, 0 where there is none: a read that has got one
 * piece and cannot take all of the next ends with a line, so that programs which take each read of
 * a page or more for itself see lines.
 */
static size_t whole_lines(const char *s, size_t n)
{
	for (size_t i = n; i > 0; i--)
		if (s[i - 1] == '\n')
			return i;
	return 0;
}

static ssize64_t read_pieces(struct pinode *p, struct ptext *t, struct uio *u, off64_t *pos)
{
	bool cut = false;
	ssize64_t total = 0, n = 0;

	if (*pos == 0 || *pos < t->start) {
		t->start = 0;
		t->len = 0;
		t->key = 0;
		t->at_end = false;
	}
	while (u->resid > 0 && !cut) {
		if (*pos < t->start + (off64_t)t->len) {
			size_t skip = (size_t)(*pos - t->start), most = t->len - skip;

			cut = most > u->resid && total > 0 && !p->node->bytes;
			if (cut)
				most = whole_lines(t->buf + skip, u->resid);
			if (most == 0)
				break;
			if ((n = give(t, u, pos, most)) < 0)
				break;
			total += n;
		} else if (t->at_end) {
			break;
		} else if (fatal_signal_pending()) {
			n = -EINTR;
			break;
		} else if ((n = make_piece(p, t))) {
			break;
		}
		thread_resched_point();
	}
	return total ? total : n;
}

static ssize64_t read_whole(struct pinode *p, struct ptext *t, struct uio *u, off64_t *pos)
{
	int err;

	if ((*pos == 0 || t->buf == NULL) && (err = make_text(p, t)))
		return err;
	if ((uint64_t)*pos >= t->len || u->resid == 0)
		return 0;
	return give(t, u, pos, t->len - (size_t)*pos);
}

static ssize64_t pseudo_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct pinode *p = pinode_of(f->inode);
	struct ptext *t = f->priv;
	ssize64_t n;

	if (p->node->show == NULL && p->node->fill == NULL)
		return -EIO;
	mutex_lock(&t->lock);
	n = p->node->fill ? read_pieces(p, t, u, pos) : read_whole(p, t, u, pos);
	mutex_unlock(&t->lock);
	return n;
}

static ssize64_t pseudo_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct pinode *p = pinode_of(f->inode);
	size_t want = MIN(u->resid, (size_t)STORE_MAX - 1);
	char *text;
	ssize64_t n;

	if (p->node->store == NULL)
		return -EIO;
	if ((text = kmalloc(want + 1)) == NULL)
		return -ENOMEM;
	if (uio_get(u, text, want) != want) {
		n = -EFAULT;
	} else {
		text[want] = 0;
		n = p->node->store(p, text, want);
	}
	kfree(text);
	if (n > 0)
		*pos += n;
	return n;
}

const struct file_ops pseudo_file_ops = {
	.open = pseudo_open,
	.release = pseudo_release,
	.read = pseudo_read,
	.write = pseudo_write,
	.seek = generic_seek,
};
