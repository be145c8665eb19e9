#!/bin/bash
# root: debian
# memory: 1G
# A program linked against musl, dynamically: its loader, threads, allocator, fork, popen.
set -e
cd "$(mktemp -d)"
cat > m.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
static void *add(void *p) { for (int i = 0; i < 1000; i++) __atomic_fetch_add((int *)p, 1, __ATOMIC_SEQ_CST); return NULL; }
int main(void)
{
	int n = 0; pthread_t t[8]; char line[256]; int musl = 0;
	for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, add, &n);
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f)) musl |= strstr(line, "musl") != NULL;
	void *p[100]; for (int i = 0; i < 100; i++) { p[i] = malloc(1000 * i + 1); memset(p[i], i, 1000 * i + 1); }
	for (int i = 0; i < 100; i++) free(p[i]);
	if (fork() == 0) _exit(9);
	int st; wait(&st);
	FILE *g = popen("echo popen", "r"); fgets(line, sizeof line, g); pclose(g);
	printf("musl %d threads %d child %d %s", musl, n, WEXITSTATUS(st), line);
	return 0;
}
C
musl-gcc -O2 -o m m.c
readelf -l m | grep -o 'interpreter: .*musl'
./m
