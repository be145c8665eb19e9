/* The open flags whose bits differ between architectures. */
#pragma once

#define O_DIRECT    00040000
#define O_LARGEFILE 00100000 /* always set by a 64-bit kernel */
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
