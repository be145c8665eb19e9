/* ioctl_tty(2): settings in their forms, window size, TIOCSTI, exclusive use, and what is refused.
 */

#include "tty_test.h"

#include <sys/syscall.h>

/* The kernel's structures, which libc's headers do not show beside termios.h. */
struct kernel_termio {
	unsigned short c_iflag, c_oflag, c_cflag, c_lflag;
	unsigned char c_line, c_cc[8];
};
struct kernel_termios2 {
	unsigned c_iflag, c_oflag, c_cflag, c_lflag;
	unsigned char c_line, c_cc[19];
	unsigned c_ispeed, c_ospeed;
};
#define KTCGETS2 0x802C542A
#define KTCSETS2 0x402C542B
enum { KBOTHER = 0010000 };

TEST(settings_as_termio)
{
	struct pair p = open_pair();
	struct kernel_termio io;
	struct termios t;

	CHECK_OK(ioctl(p.s, TCGETA, &io));
	CHECK_EQ(io.c_iflag, ICRNL | IXON);
	CHECK_EQ(io.c_cc[VERASE], 127);
	io.c_lflag &= (unsigned short)~ECHO;
	io.c_cc[VERASE] = 8;
	CHECK_OK(ioctl(p.s, TCSETA, &io));
	CHECK_OK(tcgetattr(p.s, &t));
	CHECK_EQ(t.c_lflag & (ECHO | IEXTEN), IEXTEN);
	CHECK_EQ(t.c_cc[VERASE], 8);
	CHECK_EQ(t.c_cc[VLNEXT], 22);
}

TEST(settings_with_any_speed)
{
	struct pair p = open_pair();
	struct kernel_termios2 t;

	CHECK_OK(ioctl(p.s, KTCGETS2, &t));
	CHECK_EQ(t.c_ospeed, 38400);
	CHECK_EQ(t.c_ispeed, 38400);
	t.c_cflag = (t.c_cflag & ~(unsigned)CBAUD) | B115200;
	CHECK_OK(ioctl(p.s, KTCSETS2, &t));
	CHECK_OK(ioctl(p.s, KTCGETS2, &t));
	CHECK_EQ(t.c_ospeed, 115200);
	t.c_cflag = (t.c_cflag & ~(unsigned)CBAUD) | KBOTHER;
	t.c_ospeed = 12345;
	CHECK_OK(ioctl(p.s, KTCSETS2, &t));
	CHECK_OK(ioctl(p.s, KTCGETS2, &t));
	CHECK_EQ(t.c_ospeed, 12345);
}

TEST(window_size)
{
	struct pair p = open_pair();
	struct winsize w = { 1, 2, 3, 4 }, back = { 9, 9, 9, 9 };

	CHECK_OK(ioctl(p.s, TIOCGWINSZ, &back));
	CHECK_EQ(back.ws_row | back.ws_col, 0);
	CHECK_OK(ioctl(p.m, TIOCSWINSZ, &w));
	CHECK_OK(ioctl(p.s, TIOCGWINSZ, &back));
	CHECK(memcmp(&w, &back, sizeof(w)) == 0);
}

static int types_to_itself(struct pair *p)
{
	for (const char *c = "ls\n"; *c; c++)
		if (ioctl(p->s, TIOCSTI, c) < 0)
			return errno == EIO ? 77 : 1; /* dev.tty.legacy_tiocsti is 0 */
	READS(p->s, 10, "ls\n");
	EXPECT(p->m, "ls\r\n");
	return 0;
}

TEST(input_can_be_simulated)
{
	struct pair p = open_pair();
	pid_t pid = start_session(&p, types_to_itself);
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		test_skip("TIOCSTI is switched off");
	CHECK_EQ(WEXITSTATUS(status), 0);
}

TEST(input_is_not_simulated_by_others)
{
	struct pair p = open_pair();

	if (test_is_root())
		CHECK_OK(setresuid(1000, 1000, 1000));
	errno = 0;
	CHECK(ioctl(p.s, TIOCSTI, "x") == -1 && (errno == EPERM || errno == EIO));
}

TEST(exclusive_use)
{
	struct pair p = open_pair();
	int on = -1;

	CHECK_OK(ioctl(p.s, TIOCGEXCL, &on));
	CHECK_EQ(on, 0);
	CHECK_OK(ioctl(p.s, TIOCEXCL));
	CHECK_OK(ioctl(p.s, TIOCGEXCL, &on));
	CHECK_EQ(on, 1);
	if (test_is_root()) {
		int fd = open(p.name, O_RDWR | O_NOCTTY);

		CHECK_OK(fd);
		close(fd);
		CHECK_OK(fchmod(p.s, 0666));
		CHECK_OK(setresuid(1000, 1000, 1000));
	}
	CHECK_ERR(open(p.name, O_RDWR | O_NOCTTY), EBUSY);
	CHECK_OK(ioctl(p.s, TIOCNXCL));
	CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
}

TEST(line_discipline_and_carrier)
{
	struct pair p = open_pair();
	int n = -1;

	CHECK_OK(ioctl(p.s, TIOCGETD, &n));
	CHECK_EQ(n, 0);
	CHECK_OK(ioctl(p.s, TIOCSETD, &n));
	n = 99;
	CHECK_ERR(ioctl(p.s, TIOCSETD, &n), EINVAL);
	CHECK_OK(ioctl(p.s, TIOCGSOFTCAR, &n));
	CHECK_EQ(n, 0);
	n = 1;
	CHECK_OK(ioctl(p.s, TIOCSSOFTCAR, &n));
	n = 0;
	CHECK_OK(ioctl(p.s, TIOCGSOFTCAR, &n));
	CHECK_EQ(n, 1);
}

TEST(what_a_pty_does_not_know)
{
	struct pair p = open_pair();
	int n;

	CHECK_ERR(ioctl(p.s, TIOCMGET, &n), ENOTTY);
	CHECK_ERR(ioctl(p.s, 0x4B33 /* KDGKBTYPE */, &n), ENOTTY);
	CHECK_ERR(ioctl(p.s, 0x5600 /* VT_OPENQRY */, &n), ENOTTY);
	CHECK_ERR(ioctl(p.s, TIOCGSERIAL, &n), ENOTTY);
	CHECK_ERR(ioctl(p.s, 0x12345, &n), ENOTTY);
	CHECK_ERR(ioctl(p.s, TIOCSPTLCK, &n), ENOTTY);
}

TEST(the_device_number)
{
	struct pair p = open_pair();
	unsigned dev = 0;
	struct stat st;

	CHECK_OK(fstat(p.s, &st));
	CHECK_OK(ioctl(p.s, TIOCGDEV, &dev));
	CHECK_EQ(dev, st.st_rdev);
	CHECK_OK(ioctl(p.m, TIOCGDEV, &dev));
	CHECK_EQ(dev, st.st_rdev);
}

TEST(hanging_up_by_request)
{
	struct pair p = open_pair();
	char b[10];
	int again;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(ioctl(p.s, TIOCVHANGUP));
	CHECK_EQ(read(p.s, b, 10), 0);
	CHECK_ERR(write(p.s, "x", 1), EIO);
	CHECK_EQ(ready(p.m, POLLIN, 0), 0);
	CHECK_OK(again = open(p.name, O_RDWR | O_NOCTTY));
	CHECK_EQ(write(again, "hi", 2), 2);
	EXPECT(p.m, "hi");
	close(p.s);
	CHECK_EQ(ready(p.m, POLLIN, 0), 0);
	close(again);
	CHECK_EQ(ready(p.m, POLLIN, 0), POLLHUP);
}

static volatile sig_atomic_t ios;

static void on_io(int sig)
{
	(void)sig;
	ios++;
}

TEST(signal_driven_input)
{
	struct pair p = open_pair();

	signal(SIGIO, on_io);
	CHECK_OK(fcntl(p.s, F_SETOWN, getpid()));
	CHECK_OK(fcntl(p.s, F_SETFL, fcntl(p.s, F_GETFL) | O_ASYNC));
	type(&p, "a\n");
	EVENTUALLY(ios > 0);
}

TEST(locked_settings_stay)
{
	struct pair p = open_pair();
	struct termios t, now;
	unsigned char lock[36]; /* the kernel's struct termios: four words, c_line, c_cc[19] */
	unsigned iflag = ICRNL;
	int st;

	memset(lock, 1, sizeof(lock));
	CHECK_OK(ioctl(p.s, TIOCGLCKTRMIOS, lock));
	for (unsigned i = 0; i < sizeof(lock); i++)
		CHECK_EQ(lock[i], 0);
	memcpy(lock, &iflag, sizeof(iflag));
	lock[17 + VINTR] = 1;
	CHECK_OK(ioctl(p.s, TIOCSLCKTRMIOS, lock));
	CHECK_OK(tcgetattr(p.s, &t));
	t.c_iflag = IGNBRK;
	t.c_cc[VINTR] = 'x';
	t.c_cc[VQUIT] = 'y';
	CHECK_OK(tcsetattr(p.s, TCSANOW, &t));
	CHECK_OK(tcgetattr(p.s, &now));
	CHECK_EQ(now.c_iflag, IGNBRK | ICRNL);
	CHECK_EQ(now.c_cc[VINTR], 3);
	CHECK_EQ(now.c_cc[VQUIT], 'y');
	memset(lock, 0, sizeof(lock));
	CHECK_OK(ioctl(p.m, TIOCGLCKTRMIOS, lock));
	CHECK_EQ(lock[17 + VINTR], 1);
	lock[17 + VINTR] = 0;
	CHECK_OK(ioctl(p.m, TIOCSLCKTRMIOS, lock));
	CHECK_OK(tcsetattr(p.s, TCSANOW, &t));
	CHECK_OK(tcgetattr(p.s, &now));
	CHECK_EQ(now.c_iflag, IGNBRK | ICRNL);
	CHECK_EQ(now.c_cc[VINTR], 'x');
	CHECK_ERR(ioctl(p.s, TIOCSLCKTRMIOS, NULL), EFAULT);

	pid_t child = fork();

	if (child == 0) {
		if (setresuid(1000, 1000, 1000) || ioctl(p.s, TIOCGLCKTRMIOS, lock))
			_exit(1);
		_exit(ioctl(p.s, TIOCSLCKTRMIOS, NULL) == -1 && errno == EPERM ? 0 : 2);
	}
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(WEXITSTATUS(st), 0);
}
