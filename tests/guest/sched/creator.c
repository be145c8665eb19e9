/* Who makes a thread or a process goes on: the new one has its turn, it does not take the CPU. */
#include "test.h"
#include <pthread.h>
#include <sys/mman.h>

enum { TRIES = 40 };

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

/* A fresh time slice, as far as a sleep gives one. */
static void rest(void)
{
	usleep(5000);
}

static int note(void *order)
{
	_Atomic int *creator_was_first = order;

	return *creator_was_first;
}

TEST_TIMED(fork_parent_goes_on, 60)
{
	_Atomic int *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int first = 0;

	CHECK(word != MAP_FAILED);
	pin();
	for (int i = 0; i < TRIES; i++) {
		int status;
		pid_t pid;

		*word = 0;
		rest();
		pid = test_fork(note, (void *)word);
		*word = 1;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		first += WEXITSTATUS(status);
	}
	/* A tick may come between the two. */
	CHECK(first > TRIES * 3 / 4);
}

static void *note_thread(void *order)
{
	return (void *)(intptr_t)note(order);
}

TEST_TIMED(thread_creator_goes_on, 60)
{
	static _Atomic int word;
	int first = 0;

	pin();
	for (int i = 0; i < TRIES; i++) {
		pthread_t t;
		void *res;

		word = 0;
		rest();
		CHECK_EQ(pthread_create(&t, NULL, note_thread, (void *)&word), 0);
		word = 1;
		CHECK_EQ(pthread_join(t, &res), 0);
		first += (int)(intptr_t)res;
	}
	CHECK(first > TRIES * 3 / 4);
}
