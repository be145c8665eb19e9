// sources: kernel/vfs/resolve.c
/*
 * Path resolution over a literal tree: cases with known results, and random names whose results are compared with those
 * of the host's own kernel over the same tree on disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/namehash.h"
#include "vfs/resolve.h"

enum { SEED = 12345 };
enum kind { DIR, FIL, LNK };

struct node {
	const char *name;
	int parent;
	enum kind kind;
	const char *text;
};

/* Node 0 is above the tree's top, node 1: whoever gets there has left it. */
static const struct node tree[] = {
	{ "", 0, DIR, NULL },
	{ "top", 0, DIR, NULL },
	{ "d", 1, DIR, NULL },
	{ "f", 1, FIL, NULL },
	{ "e", 2, DIR, NULL },
	{ "g", 4, FIL, NULL },
	{ "l", 1, LNK, "d" },
	{ "up", 4, LNK, "../.." },
	{ "lf", 1, LNK, "f" },
	{ "slash", 1, LNK, "d/" },
	{ "deep", 2, LNK, "e/up/l/e" },
	{ "loop", 1, LNK, "loop" },
	{ "a", 1, LNK, "b" },
	{ "b", 1, LNK, "a/x" },
	{ "dangling", 1, LNK, "nowhere" },
	{ "dot", 4, LNK, "." },
	{ "fs", 1, LNK, "f/" },
	{ "a-name-of-more-than-eight-bytes", 1, DIR, NULL },
	{ "g", 17, FIL, NULL },
	{ "self", 2, LNK, "../d/./e/.././" },
};
enum { NODES = sizeof(tree) / sizeof(tree[0]) };

struct place {
	int at, link;
	bool left; /* has been above the top */
};

static int child(void *ctx, const char *name, uint32_t len, uint32_t hash)
{
	struct place *p = ctx;

	assert_int_equal(hash, name_hash(SEED, name, len));
	if (tree[p->at].kind != DIR)
		return -ENOTDIR;
	for (int i = 1; i < NODES; i++) {
		if (tree[i].parent != p->at || strlen(tree[i].name) != len || memcmp(tree[i].name, name, len) != 0)
			continue;
		if (tree[i].kind == LNK) {
			p->link = i;
			return RESOLVE_LINK;
		}
		p->at = i;
		return 0;
	}
	return -ENOENT;
}

static int dot(void *ctx)
{
	return tree[((struct place *)ctx)->at].kind == DIR ? 0 : -ENOTDIR;
}

static int dotdot(void *ctx)
{
	struct place *p = ctx;
	int err = dot(ctx);

	if (err)
		return err;
	p->at = tree[p->at].parent;
	p->left |= p->at == 0;
	return 0;
}

static int root(void *ctx)
{
	((struct place *)ctx)->at = 1;
	return 0;
}

static int read_link(void *ctx, bool last, const char **text)
{
	(void)last;
	*text = tree[((struct place *)ctx)->link].text;
	return 0;
}

static void take_link(void *ctx)
{
	((struct place *)ctx)->at = ((struct place *)ctx)->link;
}

static const struct resolve_ops ops = { child, dot, dotdot, root, read_link, take_link, dot };

struct result {
	int err, node;
	bool left;
	struct resolve r;
};

static const char *stack[RESOLVE_MAX_LINKS];

static struct result resolve(const char *name, bool follow, bool parent)
{
	struct place p = { 1, -1, false };
	struct result out = { 0 };

	out.r = (struct resolve){ .ops = &ops, .ctx = &p, .seed = SEED, .follow = follow, .parent = parent,
				  .stack = stack, .max_depth = RESOLVE_MAX_LINKS };
	out.err = resolve_begin(&out.r, name);
	if (!out.err)
		out.err = resolve_run(&out.r);
	out.node = p.at;
	out.left = p.left;
	return out;
}

static int node_of(const char *name, bool follow)
{
	struct result r = resolve(name, follow, false);

	return r.err ? r.err : r.node;
}

static void known_results(void **state)
{
	(void)state;
	assert_int_equal(node_of("d/e/g", true), 5);
	assert_int_equal(node_of("//d///e//g", true), 5);
	assert_int_equal(node_of("l/e/g", true), 5);
	assert_int_equal(node_of("l", false), 6);
	assert_int_equal(node_of("l/", false), 2);  /* a slash follows the link */
	assert_int_equal(node_of("slash", false), 9);
	assert_int_equal(node_of("slash", true), 2);
	assert_int_equal(node_of("lf/", false), -ENOTDIR);
	assert_int_equal(node_of("fs", true), -ENOTDIR);
	assert_int_equal(node_of("f/", true), -ENOTDIR);
	assert_int_equal(node_of("f/.", true), -ENOTDIR);
	assert_int_equal(node_of("f/..", true), -ENOTDIR);
	assert_int_equal(node_of("d/deep/g", true), 5); /* a link's text begins where the link is */
	assert_int_equal(node_of("d/e/up/f", true), 3);
	assert_int_equal(node_of("d/e/dot/dot/g", true), 5);
	assert_int_equal(node_of("loop", true), -ELOOP);
	assert_int_equal(node_of("loop", false), 11);
	assert_int_equal(node_of("a", true), -ELOOP);
	assert_int_equal(node_of("dangling", true), -ENOENT);
	assert_int_equal(node_of("dangling/", false), -ENOENT);
	assert_int_equal(node_of("a-name-of-more-than-eight-bytes/g", true), 18);
	assert_int_equal(node_of("d/self/self/e", true), 4);
	assert_int_equal(node_of("/", true), 1);
	assert_int_equal(node_of("/d", true), 2);
	assert_int_equal(node_of("...", true), -ENOENT);
}

static void parents(void **state)
{
	struct result r;

	(void)state;
	r = resolve("d/new", false, true);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.node, 2);
	assert_int_equal(r.r.last_kind, RESOLVE_LAST_NAME);
	assert_int_equal(r.r.last_len, 3);
	assert_memory_equal(r.r.last, "new", 3);
	assert_false(r.r.slash);
	r = resolve("l/e///x///", false, true);
	assert_int_equal(r.node, 4);
	assert_int_equal(r.r.last_len, 1);
	assert_true(r.r.slash);
	assert_int_equal(resolve("/", false, true).r.last_kind, RESOLVE_LAST_ROOT);
	assert_int_equal(resolve("d/..", false, true).r.last_kind, RESOLVE_LAST_DOTDOT);
	assert_int_equal(resolve("d/.", false, true).r.last_kind, RESOLVE_LAST_DOT);
	assert_int_equal(resolve("f/x", false, true).err, -ENOTDIR);
	assert_int_equal(resolve("nowhere/x", false, true).err, -ENOENT);
	/* A last link is not followed, until it is asked for. */
	struct place p = { 1, -1, false };
	r = resolve("slash", false, true);
	r.r.ctx = &p;
	assert_int_equal(child(&p, r.r.last, r.r.last_len, r.r.last_hash), RESOLVE_LINK);
	assert_int_equal(resolve_follow_last(&r.r), 0);
	assert_int_equal(r.r.last_len, 1);
	assert_int_equal(r.r.last[0], 'd');
	assert_true(r.r.slash);
}

static void names_at_the_limits(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[255] = '\0';
	assert_int_equal(node_of(name, true), -ENOENT);
	name[255] = 'x';
	name[256] = '\0';
	assert_int_equal(node_of(name, true), -ENAMETOOLONG);
}

static void stack_overflow_punts(void **state)
{
	struct place p = { 1, -1, false };
	struct resolve r = { .ops = &ops, .ctx = &p, .seed = SEED, .follow = true, .stack = stack, .max_depth = 1 };

	(void)state;
	assert_int_equal(resolve_begin(&r, "d/deep/g"), 0);
	assert_int_equal(resolve_run(&r), RESOLVE_PUNT);
}

/* --- against the host --- */

static char top_dir[] = "/tmp/resolve-XXXXXX";

static void path_of(int i, char *out)
{
	if (i == 0) {
		strcpy(out, top_dir);
		return;
	}
	path_of(tree[i].parent, out);
	strcat(out, "/");
	strcat(out, tree[i].name);
}

static int make_tree(void **state)
{
	char path[300];

	(void)state;
	if (mkdtemp(top_dir) == NULL)
		return -1;
	for (int i = 1; i < NODES; i++) {
		path_of(i, path);
		if (tree[i].kind == DIR && mkdir(path, 0755))
			return -1;
		if (tree[i].kind == LNK && symlink(tree[i].text, path))
			return -1;
		if (tree[i].kind == FIL) {
			FILE *f = fopen(path, "w");

			if (f == NULL)
				return -1;
			fclose(f);
		}
	}
	path_of(1, path);
	return chdir(path);
}

static int remove_tree(void **state)
{
	char path[300];

	(void)state;
	for (int i = NODES - 1; i >= 0; i--) {
		path_of(i, path);
		if (tree[i].kind == DIR ? rmdir(path) : unlink(path))
			return -1;
	}
	return 0;
}

static void random_names_agree_with_the_host(void **state)
{
	static const char *const words[] = { ".", "..", "/", "x" };
	char name[200], real[300];
	struct stat want, got;

	(void)state;
	srandom(1);
	for (int n = 0; n < 20000; n++) {
		int parts = 1 + (int)(random() % 6);
		bool follow = random() % 2;
		struct result r;
		int err;

		name[0] = '\0';
		for (int i = 0; i < parts; i++) {
			unsigned pick = (unsigned)random() % (NODES + 6);

			if (i > 0)
				strcat(name, "/");
			strcat(name, pick < NODES ? tree[pick].name : words[(pick - NODES) % 4]);
		}
		if (name[0] == '/' || name[0] == '\0')
			continue;
		r = resolve(name, follow, false);
		if (r.left)
			continue;
		err = follow ? stat(name, &got) : lstat(name, &got);
		if (err)
			err = -errno;
		if (err != r.err)
			fail_msg("%s (follow %d): %d, host %d", name, follow, r.err, err);
		if (err)
			continue;
		path_of(r.node, real);
		assert_int_equal(lstat(real, &want), 0);
		if (want.st_ino != got.st_ino)
			fail_msg("%s (follow %d): resolved to %s", name, follow, real);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_results),
		cmocka_unit_test(parents),
		cmocka_unit_test(names_at_the_limits),
		cmocka_unit_test(stack_overflow_punts),
		cmocka_unit_test_setup_teardown(random_names_agree_with_the_host, make_tree, remove_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
