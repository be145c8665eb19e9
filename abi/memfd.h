/* memfd_create(2), memfd_secret(2). */
#pragma once

#define MFD_CLOEXEC       0x0001U
#define MFD_ALLOW_SEALING 0x0002U
#define MFD_HUGETLB       0x0004U
#define MFD_NOEXEC_SEAL   0x0008U
#define MFD_EXEC          0x0010U
#define MFD_HUGE_SHIFT    26
#define MFD_HUGE_MASK     0x3f
#define MFD_NAME_MAX      249 /* the name's length without its NUL; NAME_MAX minus "memfd:" */
