/* Sessions, controlling terminals, job control, and the signals that are typed. */

#include "tty_test.h"

static volatile sig_atomic_t seen[65];

static void note(int sig)
{
	seen[sig]++;
}

static void catch(int sig)
{
	struct sigaction sa = { .sa_handler = note };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

/* A child in a group of its own, in the background. */
static pid_t start_background(struct pair *p, int (*fn)(struct pair *))
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (pid == 0) {
		setpgid(0, 0);
		_exit(fn(p));
	}
	setpgid(pid, pid);
	return pid;
}

static void wait_stopped(pid_t pid, int sig)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
}

static void end_child(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

/* --- the controlling terminal --- */

/* Fields 7 and 8 of /proc/self/stat. */
static void check_stat(dev_t tty, pid_t tpgid)
{
	char *paren;
	int nr = -1, group = -2;

	if (access("/proc/self/stat", R_OK) != 0)
		return;
	CHECK((paren = strrchr(test_slurp("/proc/self/stat"), ')')) != NULL);
	CHECK_EQ(sscanf(paren + 1, " %*c %*d %*d %*d %d %d", &nr, &group), 2);
	CHECK_EQ(nr, tty);
	CHECK_EQ(group, tpgid);
}

static int own_terminal(struct pair *p)
{
	struct stat st;
	int fd;

	CHECK_OK(ioctl(p->s, TIOCSCTTY, 0)); /* once more does no harm */
	CHECK_EQ(tcgetpgrp(p->s), getpid());
	CHECK_EQ(tcgetsid(p->s), getpid());
	CHECK_EQ(tcgetpgrp(p->m), getpid());
	CHECK_EQ(tcgetsid(p->m), getpid());
	CHECK_OK(fd = open("/dev/tty", O_RDWR));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_rdev, 0x500);
	CHECK_EQ(write(fd, "x", 1), 1);
	EXPECT(p->m, "x");
	CHECK_EQ(tcgetsid(fd), getpid());
	CHECK_OK(fstat(p->s, &st));
	check_stat(st.st_rdev, getpid());
	return 0;
}

TEST(tiocsctty_makes_it_ones_own)
{
	in_session(own_terminal);
}

static int opens_terminal(void *arg)
{
	struct pair *p = arg;
	int fd;

	CHECK_OK(setsid());
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_OK(fd = open(p->name, O_RDWR | O_NOCTTY));
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_ERR(tcgetpgrp(fd), ENOTTY);
	CHECK_OK(open(p->name, O_WRONLY)); /* not by an open for writing alone */
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_OK(open(p->name, O_RDWR));
	CHECK_OK(open("/dev/tty", O_RDWR));
	CHECK_EQ(tcgetsid(fd), getpid());
	return 0;
}

TEST(a_leaders_open_makes_it_ones_own)
{
	struct pair p = open_pair();

	test_wait_exit(test_fork(opens_terminal, &p), 0);
}

static int not_a_leader(struct pair *p)
{
	struct pair q = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_ERR(ioctl(q.s, TIOCSCTTY, 0), EPERM);
		CHECK_EQ(tcgetsid(p->s), getppid());
		CHECK_OK(ioctl(p->s, TIOCNOTTY));
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERR(ioctl(p->s, TIOCNOTTY), ENOTTY);
		CHECK_ERR(tcgetsid(p->s), ENOTTY);
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_ERR(ioctl(q.s, TIOCSCTTY, 0), EPERM); /* one has a terminal */
	CHECK_OK(open("/dev/tty", O_RDWR));
	return 0;
}

TEST(who_may_have_and_drop_a_terminal)
{
	in_session(not_a_leader);
}

static int other_session(void *arg)
{
	CHECK_OK(setsid());
	CHECK_ERR(ioctl(((struct pair *)arg)->s, TIOCSCTTY, 0), EPERM);
	return 0;
}

static int has_it(struct pair *p)
{
	test_wait_exit(test_fork(other_session, p), 0);
	return 0;
}

TEST(a_terminal_has_one_session)
{
	in_session(has_it);
}

static int drops(struct pair *p)
{
	catch(SIGHUP);
	catch(SIGCONT);
	CHECK_OK(ioctl(p->s, TIOCNOTTY));
	check_stat(0, -1);
	CHECK_EQ(seen[SIGHUP], 1);
	CHECK_EQ(seen[SIGCONT], 1);
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_EQ(write(p->s, "x", 1), 1);
	CHECK_OK(ioctl(p->s, TIOCSCTTY, 0));
	return 0;
}

TEST(a_leader_drops_its_terminal)
{
	in_session(drops);
}

TEST(not_ones_own_terminal)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_ERR(tcgetpgrp(p.s), ENOTTY);
		CHECK_ERR(tcgetsid(p.s), ENOTTY);
		CHECK_EQ(tcgetpgrp(p.m), 0);
		CHECK_ERR(tcgetsid(p.m), ENOTTY);
		CHECK_ERR(tcsetpgrp(p.s, getpgrp()), ENOTTY);
		CHECK_ERR(ioctl(p.s, TIOCNOTTY), ENOTTY);
		_exit(0);
	}
	test_wait_exit(pid, 0);
}

/* --- typed signals --- */

static int gets_signals(struct pair *p)
{
	char b[10];

	catch(SIGINT);
	catch(SIGQUIT);
	catch(SIGTSTP);
	type(p, "lost\003");
	EVENTUALLY(seen[SIGINT] == 1);
	type(p, "\034");
	EVENTUALLY(seen[SIGQUIT] == 1);
	type(p, "\032");
	EVENTUALLY(seen[SIGTSTP] == 1);
	set_nonblock(p->s);
	CHECK_ERR(read(p->s, b, 10), EAGAIN);
	type(p, "kept\n");
	READS(p->s, 10, "kept\n");
	change(p->s, (struct change){ .lon = NOFLSH });
	type(p, "ab\003cd\n");
	EVENTUALLY(seen[SIGINT] == 2);
	READS(p->s, 10, "abcd\n");
	change(p->s, (struct change){ .loff = ISIG });
	type(p, "\003\n");
	READS(p->s, 10, "\003\n");
	CHECK_EQ(seen[SIGINT], 2);
	return 0;
}

TEST(typed_signals_reach_the_foreground)
{
	in_session(gets_signals);
}

static int waits_in_read(struct pair *p)
{
	char b[10];

	read(p->s, b, 10);
	return 1;
}

TEST(interrupt_ends_the_reader)
{
	struct pair p = open_pair();
	pid_t pid = start_session(&p, waits_in_read);

	EVENTUALLY(tcgetpgrp(p.m) == pid);
	usleep(30000);
	type(&p, "\003");
	test_wait_signal(pid, SIGINT);
	EXPECT(p.m, "^C");
}

static int gets_signal_from_master(struct pair *p)
{
	catch(SIGINT);
	CHECK_OK(ioctl(p->m, TIOCSIG, SIGINT));
	EVENTUALLY(seen[SIGINT] == 1);
	CHECK_ERR(ioctl(p->m, TIOCSIG, SIGUSR1), EINVAL);
	return 0;
}

TEST(the_master_sends_signals)
{
	in_session(gets_signal_from_master);
}

static int gets_winch(struct pair *p)
{
	struct winsize w = { 24, 80, 0, 0 }, back;

	catch(SIGWINCH);
	CHECK_OK(ioctl(p->s, TIOCSWINSZ, &w));
	EVENTUALLY(seen[SIGWINCH] == 1);
	CHECK_OK(ioctl(p->m, TIOCSWINSZ, &w)); /* nothing changes */
	w.ws_row = 25;
	CHECK_OK(ioctl(p->m, TIOCSWINSZ, &w));
	EVENTUALLY(seen[SIGWINCH] == 2);
	CHECK_OK(ioctl(p->s, TIOCGWINSZ, &back));
	CHECK(memcmp(&w, &back, sizeof(w)) == 0);
	return 0;
}

TEST(window_size_changes_are_told)
{
	in_session(gets_winch);
}

/* --- background --- */

static int reads(struct pair *p)
{
	char b[10];

	return read(p->s, b, 10) == 3 ? 0 : 1;
}

static int background_reader(struct pair *p)
{
	pid_t pid = start_background(p, reads);

	wait_stopped(pid, SIGTTIN);
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(p->s, pid));
	CHECK_EQ(tcgetpgrp(p->s), pid);
	CHECK_OK(kill(pid, SIGCONT));
	type(p, "ab\n");
	test_wait_exit(pid, 0);
	CHECK_OK(tcsetpgrp(p->s, getpgrp()));
	return 0;
}

TEST(a_background_reader_stops_and_goes_on)
{
	in_session(background_reader);
}

static int reads_ignoring(struct pair *p)
{
	char b[10];

	signal(SIGTTIN, SIG_IGN);
	CHECK_ERR(read(p->s, b, 10), EIO);
	signal(SIGTTIN, SIG_DFL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERR(read(p->s, b, 10), EIO);
	return 0;
}

static int background_reader_ignoring(struct pair *p)
{
	test_wait_exit(start_background(p, reads_ignoring), 0);
	return 0;
}

TEST(a_background_reader_who_ignores_gets_eio)
{
	in_session(background_reader_ignoring);
}

static int writes_once(struct pair *p)
{
	CHECK_EQ(write(p->s, "x", 1), 1);
	return 0;
}

static int background_writer(struct pair *p)
{
	test_wait_exit(start_background(p, writes_once), 0);
	EXPECT(p->m, "x");
	change(p->s, (struct change){ .lon = TOSTOP });
	pid_t pid = start_background(p, writes_once);
	wait_stopped(pid, SIGTTOU);
	expect_nothing(p->m);
	end_child(pid);
	return 0;
}

TEST(tostop_stops_background_writers)
{
	in_session(background_writer);
}

static int sets_attributes(struct pair *p)
{
	struct termios t;

	CHECK_OK(tcgetattr(p->s, &t));
	CHECK_OK(tcsetattr(p->s, TCSANOW, &t));
	return 0;
}

static int sets_foreground(struct pair *p)
{
	CHECK_OK(tcsetpgrp(p->s, getpgrp()));
	return 0;
}

static int sets_ignoring(struct pair *p)
{
	signal(SIGTTOU, SIG_IGN);
	sets_attributes(p);
	return sets_foreground(p);
}

static int background_changes(struct pair *p)
{
	pid_t pid = start_background(p, sets_attributes);

	wait_stopped(pid, SIGTTOU);
	end_child(pid);
	pid = start_background(p, sets_foreground);
	wait_stopped(pid, SIGTTOU);
	end_child(pid);
	test_wait_exit(start_background(p, sets_ignoring), 0);
	return 0;
}

TEST(changes_from_the_background_stop)
{
	in_session(background_changes);
}

static int foreground_errors(struct pair *p)
{
	CHECK_ERR(tcsetpgrp(p->s, getpgid(getppid())), EPERM); /* a group of another session */
	CHECK_ERR(tcsetpgrp(p->s, 0x3ffffff), ESRCH);
	CHECK_ERR(tcsetpgrp(p->s, -5), EINVAL);
	CHECK_OK(tcsetpgrp(p->m, getpgrp()));
	return 0;
}

TEST(tcsetpgrp_errors)
{
	in_session(foreground_errors);
}

/* The parent, who was the group's link to the session, is gone: nobody could continue the group. */
static int orphan(struct pair *p, int go)
{
	char b[10];

	CHECK_EQ(read(go, b, 1), 0); /* until the parent has been waited for */
	CHECK_ERR(read(p->s, b, 10), EIO);
	CHECK_ERR(write(p->s, "x", 1), EIO);
	CHECK_ERR(tcsetpgrp(p->s, getpgrp()), ENOTTY);
	return 0;
}

static int makes_orphan(struct pair *p)
{
	int go[2], result[2];
	char verdict = 1;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(result));
	change(p->s, (struct change){ .lon = TOSTOP });
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (fork() == 0) {
			close(go[1]);
			verdict = (char)orphan(p, go[0]);
			write(result[1], &verdict, 1);
			_exit(0);
		}
		_exit(0);
	}
	close(result[1]);
	test_wait_exit(pid, 0);
	close(go[1]);
	CHECK_EQ(read(result[0], &verdict, 1), 1);
	return verdict;
}

TEST(orphaned_groups_get_eio)
{
	in_session(makes_orphan);
}

/* --- ends --- */

static int leader_to_hang_up(struct pair *p)
{
	char b[10];

	close(p->m);
	catch(SIGHUP);
	catch(SIGCONT);
	CHECK_EQ(write(p->s, "r", 1), 1);
	EVENTUALLY(seen[SIGHUP] && seen[SIGCONT]);
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_EQ(read(p->s, b, 10), 0);
	CHECK_ERR(write(p->s, b, 1), EIO);
	CHECK_ERR(tcgetpgrp(p->s), EIO);
	CHECK_ERR(tcsetpgrp(p->s, getpid()), ENOTTY);
	return 0;
}

TEST(hanging_up_tells_the_leader)
{
	struct pair p = open_pair();
	pid_t pid = start_session(&p, leader_to_hang_up);

	EXPECT(p.m, "r");
	close(p.m);
	test_wait_exit(pid, 0);
}

static int waits_for_hup(struct pair *p)
{
	catch(SIGHUP);
	CHECK_EQ(write(p->s, "r", 1), 1);
	EVENTUALLY(seen[SIGHUP]);
	EVENTUALLY(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
	CHECK_EQ(write(p->s, "h", 1), 1); /* the line itself goes on */
	return 0;
}

static int leader_that_ends(struct pair *p)
{
	pid_t pid = start_background(p, waits_for_hup);

	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(p->s, pid));
	usleep(50000);
	return 0;
}

TEST(the_leaders_end_tells_the_foreground)
{
	struct pair p = open_pair();
	pid_t pid = start_session(&p, leader_that_ends);

	EXPECT(p.m, "r");
	test_wait_exit(pid, 0);
	EXPECT(p.m, "h");
	CHECK_EQ(tcgetpgrp(p.m), 0);
}

/* True for a zombie, and for what has gone altogether. */
static bool is_zombie(pid_t pid)
{
	char text[512] = "", *paren;
	int fd;

	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	if ((fd = open(text, O_RDONLY)) < 0)
		return true;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	close(fd);
	paren = strrchr(text, ')');
	return paren == NULL || paren[2] == 'Z' || paren[2] == 'X';
}

static int ignores_hup(struct pair *p)
{
	close(p->m);
	signal(SIGHUP, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGHUP, SIG_DFL);
		close(p->s);
		pause();
	}
	setpgid(pid, pid);
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(p->s, pid));
	CHECK_EQ(write(p->s, &pid, sizeof(pid)), sizeof(pid));
	EVENTUALLY(ready(p->s, 0, 0) & POLLHUP);
	usleep(50000);
	CHECK_OK(kill(pid, 0)); /* the foreground is told when the leader ends */
	int status;
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	return 0;
}

TEST(after_a_hang_up_the_foreground_is_told_late)
{
	struct pair p = open_pair();
	pid_t child;

	make_raw(p.s, 1, 0);
	pid_t pid = start_session(&p, ignores_hup);
	CHECK_EQ(read(p.m, &child, sizeof(child)), sizeof(child));
	close(p.m);
	test_wait_exit(pid, 0);
	EVENTUALLY(kill(child, 0) == -1 || is_zombie(child));
}
