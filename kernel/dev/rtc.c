/*
 * /dev/rtc0: rtc(4). The time can be read and set; alarms and interrupts of the clock are not
 * there, and whoever asks for them (hwclock's wait for the next second) gets -ENOTTY and looks at
 * the clock instead. One opener at a time.
 */

#include "dev/rtc.h"

#include <arch/boot.h>

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/stat.h"
#include "lib/date.h"
#include "vfs/chrdev.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vm/usercopy.h"

enum { RTC_MAJOR = 252, SECONDS_PER_DAY = 86400, YEAR_BASE = 1900 };

static atomic_bool in_use;

static int rtc_open(struct inode *i, struct file *f)
{
	(void)i, (void)f;
	return atomic_exchange(&in_use, true) ? -EBUSY : 0;
}

static void rtc_release(struct file *f)
{
	(void)f;
	atomic_store(&in_use, false);
}

static int64_t read_time(uaddr_t to)
{
	int64_t now = arch_rtc_read() / NSEC_PER_SEC, days = now / SECONDS_PER_DAY;
	int32_t rest = (int32_t)(now % SECONDS_PER_DAY);
	unsigned year, month, day;

	date_from_days(days, &year, &month, &day);
	struct abi_rtc_time t = {
		.tm_sec = rest % 60,
		.tm_min = rest / 60 % 60,
		.tm_hour = rest / 3600,
		.tm_mday = (int32_t)day,
		.tm_mon = (int32_t)month - 1,
		.tm_year = (int32_t)year - YEAR_BASE,
		.tm_wday = (int32_t)((days + 4) % 7), /* 1970 began on a Thursday */
		.tm_yday = (int32_t)(days - date_to_days(year, 1, 1)),
	};

	return copy_to_user(to, &t, sizeof(t));
}

static bool is_date(const struct abi_rtc_time *t)
{
	unsigned year, month, day;

	if (t->tm_sec < 0 || t->tm_sec > 59 || t->tm_min < 0 || t->tm_min > 59 || t->tm_hour < 0 ||
	    t->tm_hour > 23 || t->tm_mday < 1 || t->tm_mon < 0 || t->tm_mon > 11 ||
	    t->tm_year < 70 || t->tm_year > 499)
		return false;
	/* The 31st of a shorter month would come back as another date. */
	date_from_days(
		date_to_days(t->tm_year + YEAR_BASE, (unsigned)t->tm_mon + 1, (unsigned)t->tm_mday),
		&year, &month, &day);
	return day == (unsigned)t->tm_mday;
}

static int64_t set_time(uaddr_t from)
{
	struct abi_rtc_time t;
	int64_t days;

	if (!capable(CAP_SYS_TIME))
		return -EACCES;
	if (copy_from_user(&t, from, sizeof(t)))
		return -EFAULT;
	if (!is_date(&t))
		return -EINVAL;
	days = date_to_days(t.tm_year + YEAR_BASE, (unsigned)t.tm_mon + 1, (unsigned)t.tm_mday);
	arch_rtc_write((days * SECONDS_PER_DAY + t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec) *
		       NSEC_PER_SEC);
	return 0;
}

static int64_t rtc_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	(void)f;
	switch (cmd) {
	case RTC_RD_TIME:
		return read_time(UADDR(arg));
	case RTC_SET_TIME:
		return set_time(UADDR(arg));
	}
	return -ENOTTY;
}

static const struct file_ops rtc_ops = {
	.open = rtc_open,
	.release = rtc_release,
	.ioctl = rtc_ioctl,
	.flags = FOP_STREAM,
};

void rtc_device_init(void)
{
	if (arch_rtc_read() == 0)
		return;
	chrdev_register(RTC_MAJOR, 0, 1, "rtc", &rtc_ops);
	devnode_add("rtc0", S_IFCHR | 0600, mkdev(RTC_MAJOR, 0));
}
