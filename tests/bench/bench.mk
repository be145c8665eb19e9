# The benchmark's program, the same for every kernel, and the image that measures the firmware.
# make -f tests/bench/bench.mk bench

BENCH_OUT := build/bench
BENCH_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -static -pthread -Wall -Wextra -Wshadow -Werror \
	-fno-stack-protector -Wl,-e,bench_start
BENCH_SOURCES := $(wildcard tests/bench/*.c)

.PHONY: bench
bench: $(BENCH_OUT)/bench $(BENCH_OUT)/firmware

$(BENCH_OUT)/bench: $(BENCH_SOURCES) $(wildcard tests/bench/*.h) tests/bench/bench.mk
	@mkdir -p $(@D)
	gcc $(BENCH_CFLAGS) -o $@ $(BENCH_SOURCES)

$(BENCH_OUT)/firmware: tests/bench/firmware.S tests/bench/bench.mk
	@mkdir -p $(@D)
	gcc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none,-e,start -o $@ $<
