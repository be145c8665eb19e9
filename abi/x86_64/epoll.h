/* struct epoll_event is packed on x86-64, so that 32-bit programs share it. */
#pragma once

#include <stdint.h>

struct abi_epoll_event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));
