/* ioctl_console(2): the few requests by which a program tells a virtual console from a terminal. */
#pragma once

#define GIO_FONT    0x4B60
#define PIO_FONT    0x4B61
#define KIOCSOUND   0x4B2F
#define KDMKTONE    0x4B30
#define KDGETLED    0x4B31
#define KDSETLED    0x4B32
#define KDGKBTYPE   0x4B33
#define KB_84       0x01
#define KB_101      0x02
#define KB_OTHER    0x03
#define KDSETMODE   0x4B3A
#define KDGETMODE   0x4B3B
#define KD_TEXT     0x00
#define KD_GRAPHICS 0x01
#define KDGKBMODE   0x4B44
#define KDSKBMODE   0x4B45
#define K_RAW       0x00
#define K_XLATE     0x01
#define K_MEDIUMRAW 0x02
#define K_UNICODE   0x03
#define K_OFF       0x04
#define KDSIGACCEPT 0x4B4E
#define KDFONTOP    0x4B72
