/* System V objects with each of their allocations failing: see failnth.h. */
#include "failnth.h"

#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static int set_id, queue_id, segment_id;

/* Removes what was made, and passes a failure on. */
static int removed(int id, int (*remove)(int))
{
	int e = errno;

	if (id >= 0)
		remove(id);
	errno = e;
	return id >= 0 ? 0 : -1;
}

static int shm_remove(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

static int sem_remove(int id)
{
	return semctl(id, 0, IPC_RMID);
}

static int msg_remove(int id)
{
	return msgctl(id, IPC_RMID, NULL);
}

OP(shm_make)
{
	return removed(TRY(shmget(IPC_PRIVATE, 65536, 0600)), shm_remove);
}
OP(shm_make_by_key)
{
	return removed(TRY(shmget(0x5e1f3001, 65536, IPC_CREAT | SHM_NORESERVE | 0600)), shm_remove);
}
OP(shm_attach)
{
	char *p = TRY(shmat(segment_id, NULL, 0));

	return p == (void *)-1 ? -1 : shmdt(p);
}
OP(shm_attach_over)
{
	char *room = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;
	int e;

	p = TRY(shmat(segment_id, room + 4096, SHM_REMAP));
	e = errno;
	if (p != (void *)-1)
		CHECK_OK(shmdt(p));
	munmap(room, 65536);
	errno = e;
	return p == (void *)-1 ? -1 : 0;
}
OP(shm_cut)
{
	char *p = shmat(segment_id, NULL, 0);
	int r = TRY(munmap(p + 4096, 4096)), e = errno;

	CHECK_OK(shmdt(p));
	errno = e;
	return r;
}
OP(sem_make)
{
	return removed(TRY(semget(IPC_PRIVATE, 2000, 0600)), sem_remove);
}
OP(sem_many_operations)
{
	struct sembuf o[200];

	for (int i = 0; i < 200; i++)
		o[i] = (struct sembuf){ 0, (short)(i & 1 ? -1 : 1), 0 };
	return TRY(semop(set_id, o, 200));
}
OP(sem_undo)
{
	struct sembuf up = { 0, 1, SEM_UNDO };
	int r = TRY(semop(set_id, &up, 1)), e = errno;

	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(semctl(set_id, 0, GETVAL), 0);
	errno = e;
	return r;
}
OP(sem_all)
{
	unsigned short v[3];

	return TRY(semctl(set_id, 0, GETALL, v));
}
OP(msg_make)
{
	return removed(TRY(msgget(IPC_PRIVATE, 0600)), msg_remove);
}
OP(msg_send)
{
	static struct {
		long type;
		char text[8192];
	} m = { 1, "" };
	int r = TRY(msgsnd(queue_id, &m, 8192, 0)), e = errno;

	if (r == 0)
		CHECK_EQ(msgrcv(queue_id, &m, 8192, 0, 0), 8192);
	errno = e;
	return r;
}
OP(msg_copy)
{
	struct {
		long type;
		char text[100];
	} m = { 1, "" };

	CHECK_OK(msgsnd(queue_id, &m, 50, 0));
	int r = (int)TRY(msgrcv(queue_id, &m, 100, 0, MSG_COPY | IPC_NOWAIT)), e = errno;
	CHECK_EQ(msgrcv(queue_id, &m, 100, 0, 0), 50);
	errno = e;
	return r < 0 ? -1 : 0;
}
OP(proc_sysvipc)
{
	char buf[4096];
	int fd = open("/proc/sysvipc/shm", O_RDONLY);
	ssize_t n = TRY(read(fd, buf, sizeof(buf)));
	int e = errno;

	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static const struct fail_op ipc_ops[] = {
	ROW(shm_make), ROW(shm_make_by_key), ROW(shm_attach), ROW(shm_attach_over), ROW(shm_cut), ROW(sem_make), ROW(sem_many_operations),
	ROW(sem_undo), ROW(sem_all), ROW(msg_make), ROW(msg_send), ROW(msg_copy), ROW(proc_sysvipc),
};

TEST_TIMED(failnth_ipc, 120)
{
	/* One of each stays meanwhile: tables are there. */
	CHECK_OK(segment_id = shmget(IPC_PRIVATE, 16384, 0600));
	CHECK_OK(set_id = semget(IPC_PRIVATE, 3, 0600));
	CHECK_OK(queue_id = msgget(IPC_PRIVATE, 0600));
	fail_walk(ipc_ops, sizeof(ipc_ops) / sizeof(ipc_ops[0]));
	shm_remove(segment_id);
	sem_remove(set_id);
	msg_remove(queue_id);
}
