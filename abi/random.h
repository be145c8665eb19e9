/* getrandom(2), random(4). */
#pragma once

#define GRND_NONBLOCK 0x0001
#define GRND_RANDOM   0x0002
#define GRND_INSECURE 0x0004

#define RNDGETENTCNT   0x80045200 /* _IOR('R', 0, int) */
#define RNDADDTOENTCNT 0x40045201 /* _IOW('R', 1, int) */
#define RNDADDENTROPY  0x40085203 /* _IOW('R', 3, int[2]) */
#define RNDZAPENTCNT   0x5204
#define RNDCLEARPOOL   0x5206
#define RNDRESEEDCRNG  0x5207
