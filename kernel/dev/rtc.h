#pragma once

/* /dev/rtc0, where the machine has a clock that counts while it is off. Boot, once. */
void rtc_device_init(void);
