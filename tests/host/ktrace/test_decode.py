"""ktrace-decode on dumps made here: decoding, gaps, cuts, and the tables themselves."""

import importlib.machinery
import importlib.util
import io
import json
import os
import re
import struct
import subprocess
import zlib

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
loader = importlib.machinery.SourceFileLoader("ktrace_decode", os.path.join(ROOT, "tools", "ktrace-decode"))
spec = importlib.util.spec_from_loader("ktrace_decode", loader)
kd = importlib.util.module_from_spec(spec)
loader.exec_module(kd)

TABLES = kd.Tables(ROOT)
EVENT = {e.name: i for i, e in enumerate(TABLES.events)}
NR = {c.name: n for n, c in TABLES.calls.items()}
PATH, BUF = 0x7000, 0x8000


def record(time, event, args=(), tid=7, cpu=0, length=0):
    number = EVENT[event] if isinstance(event, str) else event
    args = [a & (1 << 64) - 1 for a in args] + [0] * (6 - len(args))
    return kd.RECORD.pack(time, number, cpu, length, tid, *args)


def data(time, addr, content, to_user, tid=7, size=None):
    head, rest = content[:24], content[24:]
    out = [struct.pack("<QHBBI3Q24s", time, kd.DATA_HEAD, 0, len(head), tid, addr,
                       len(content) if size is None else size, to_user, head)]
    while rest:
        out.append(struct.pack("<QHBBI48s", time, kd.DATA, 0, len(rest[:48]), tid, rest[:48]))
        rest = rest[48:]
    return b"".join(out)


def call(time, name, args, ret, chunks=(), tid=7, dur=1000):
    args = list(args) + [0] * (6 - len(args))
    return (record(time, "syscall_enter", [NR[name]] + args[:5], tid) + record(time, "syscall_arg5", args[5:], tid)
            + b"".join(data(time + 1, *c, tid=tid) for c in chunks)
            + record(time + dur, "syscall_exit", [NR[name], ret], tid))


def dump(*cpus, crc=None, version=1):
    blocks = [b"".join(c) if isinstance(c, (list, tuple)) else c for c in cpus]
    head = kd.HEADER.pack(kd.MAGIC, version, kd.HEADER.size + kd.CPU_HEADER.size * len(blocks), 64, len(blocks), 0,
                          TABLES.events_crc if crc is None else crc, 10**9, 0, 10**9, 0)
    table = b"".join(kd.CPU_HEADER.pack(i, 0, len(b) // 64, 0) for i, b in enumerate(blocks))
    return head + table + b"".join(blocks)


def text(*cpus, tids=()):
    out = io.StringIO()
    kd.print_text(kd.Dump(dump(*cpus)), kd.Formatter(TABLES), out, set(tids))
    return [line.split(None, 3)[3] for line in out.getvalue().splitlines()]


def test_open_shows_path_flags_and_mode():
    line = text(call(5, "openat", [-100, PATH, 0o2000101, 0o644], 3, [(PATH, b"/etc/passwd\0", 0)]))
    assert line == ['openat(AT_FDCWD, "/etc/passwd", O_WRONLY|O_CREAT|O_CLOEXEC, 0644) = 3 <0.000001>']


def test_composed_flag_is_named_once():
    assert "O_RDWR|O_SYNC," in text(call(5, "open", [PATH, 0o4010002, 0], 3))[0]


def test_error_has_name_and_text():
    assert text(call(5, "close", [99], -9))[0] == "close(99) = -1 EBADF (Bad file descriptor) <0.000001>"


def test_read_shows_bytes_that_crossed():
    content = bytes(range(65, 91)) * 3
    line = text(call(5, "read", [0, BUF, 4096], 78, [(BUF, content, 1)]))[0]
    assert line.startswith('read(0, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"..., 4096) = 78')


def test_long_data_is_joined():
    d = kd.Dump(dump(call(5, "write", [1, BUF, 240], 240, [(BUF, bytes(range(240)), 0)])))
    [(kind, item)] = list(kd.assemble(d.records))
    assert kind == "call" and item.chunks[0].data == bytes(range(240))


def test_write_escapes():
    assert 'write(1, "a\\n\\0\\"\\3771", 6)' in text(call(5, "write", [1, BUF, 6], 6, [(BUF, b'a\n\0"\xff1', 0)]))[0]


def test_six_arguments_and_address_result():
    line = text(call(5, "mmap", [0, 8192, 3, 0x22, -1, 0], 0x7F0000001000))[0]
    assert line.startswith("mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000")


def test_clone_signal():
    assert "CLONE_VM" in text(call(5, "clone", [0x100 | 17], 9))[0]
    assert "|SIGCHLD" in text(call(5, "clone", [0x100 | 17], 9))[0]


def test_futex_operation_with_bits():
    assert "FUTEX_WAIT|FUTEX_PRIVATE_FLAG" in text(call(5, "futex", [BUF, 128, 1], 0))[0]


def test_pipe_result_array():
    assert "pipe([3, 4]) = 0" in text(call(5, "pipe", [BUF], 0, [(BUF, struct.pack("<ii", 3, 4), 1)]))[0]


def test_unknown_call():
    raw = record(1, "syscall_enter", [9999, 1, 2, 3, 4, 5]) + record(2, "syscall_exit", [9999, -38])
    assert text(raw)[0].startswith("syscall_0x270f(0x1, 0x2, 0x3, 0x4, 0x5, 0x0) = -1 ENOSYS")


def test_unfinished_and_begun_before():
    lines = text(record(1, "syscall_exit", [NR["read"], 5]) + record(2, "syscall_enter", [NR["close"], 4]))
    assert lines[0].startswith("read(...) = 5")
    assert lines[1] == "close(4) = <unfinished ...>"


def test_calls_of_two_tasks_do_not_mix():
    a = [record(10, "syscall_enter", [NR["read"], 0, BUF, 10], tid=1),
         record(30, "syscall_exit", [NR["read"], 1], tid=1)]
    b = [record(20, "syscall_enter", [NR["close"], 5], tid=2, cpu=1),
         record(40, "syscall_exit", [NR["close"], 0], tid=2, cpu=1)]
    lines = text(a, b)
    assert lines[0].startswith("read(0, ") and lines[1].startswith("close(5) = 0")
    assert len(text(a, b, tids=[2])) == 1


def test_events():
    lines = text([record(1, "page_fault", [0x1000, 0x400000, 6, 0]),
                  record(2, "switch", [7, 3, 8]),
                  record(3, "signal_send", [9, 8, 0, 0]),
                  record(4, "exec", [*struct.unpack("<QQ", b"busybox\0" * 1 + bytes(8)), -2])])
    assert lines[0] == "page_fault addr=0x1000 rip=0x400000 code=WRITE|USER sig=0"
    assert lines[1] == "switch prev=7 prev_state=sleep next=8"
    assert lines[2].startswith("signal_send sig=SIGKILL to=8")
    assert lines[3] == 'exec name="busybox" result=ENOENT'


def test_lost_records_are_skipped_and_counted():
    d = kd.Dump(dump([record(0, kd.LOST), call(5, "getpid", [], 7)]))
    assert d.lost == 1 and len(d.records) == 3


def test_every_cut_is_noticed():
    whole = dump(call(5, "getpid", [], 7))
    for n in range(len(whole)):
        try:
            assert kd.Dump(whole[:n]).is_cut
        except kd.DumpError:
            assert n < kd.HEADER.size + kd.CPU_HEADER.size


def test_wrong_version():
    with pytest.raises(kd.DumpError):
        kd.Dump(dump(version=2))
    with pytest.raises(kd.DumpError):
        kd.Dump(b"not a dump" * 20)


def test_summary():
    out = io.StringIO()
    raw = [call(5, "close", [1], 0), call(5000, "close", [2], -9, dur=3000), record(9000, "switch", [7, 0, 8]),
           record(19000, "switch", [8, 0, 7])]
    kd.print_summary(kd.Dump(dump(raw)), kd.Formatter(TABLES), out, set())
    row = next(line for line in out.getvalue().splitlines() if line.endswith(" close"))
    assert row.split() == ["100.00", "4.0", "2.00", "3.0", "2", "1", "close"]
    assert re.search(r"(?m)^ +8 +0 +0\.0 +0 +10\.0", out.getvalue())


def test_packets_show_their_flow():
    meta = 0x0800 << 48 | 6 << 40 | 0x12 << 32 | 80 << 16 | 33000
    line = text(record(5, "packet_in", [2 << 32 | 74, meta, 0x0a00020f_0a000202, 7 << 32 | 9]))[0]
    assert line == "packet_in device=2 bytes=74 TCP 10.0.2.15.80 > 10.0.2.2.33000 S. seq=7 ack=9"
    meta = 0x86dd << 48 | 58 << 40 | 135 << 16
    line = text(record(5, "packet_out", [1 << 32 | 86, meta, 0xfe80 << 48, 1, 0xff02 << 48, 2]))[0]
    assert line == "packet_out device=1 bytes=86 ICMPv6 fe80::1 > ff02::2 type=135 code=0"


def test_drops_have_names_and_are_summed():
    number = TABLES.drops.index("no_port")
    records = [record(5, "drop", [number, 2, 0x0800, 60]), record(6, "drop", [number, 2, 0x0800, 61])]
    assert text(records)[0] == "drop reason=no_port device=2 protocol=0x800 bytes=60"
    out = io.StringIO()
    kd.print_summary(kd.Dump(dump(records)), kd.Formatter(TABLES), out, set())
    assert "2  no_port" in out.getvalue()


def test_chrome(tmp_path):
    out = tmp_path / "t.json"
    raw = [call(5000, "getpid", [], 7), record(9000, "switch", [7, 0, 8]), record(19000, "switch", [8, 0, 7])]
    kd.write_chrome(kd.Dump(dump(raw)), kd.Formatter(TABLES), str(out), set())
    events = json.loads(out.read_text())["traceEvents"]
    [x] = [e for e in events if e["name"] == "getpid"]
    assert (x["ts"], x["dur"], x["tid"]) == (5.0, 1.0, 7)
    [s] = [e for e in events if e.get("cat") == "sched" and e["ph"] == "X"]
    assert (s["pid"], s["ts"], s["dur"]) == (2, 9.0, 10.0)


def test_command_line(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(dump(call(5, "getpid", [], 7), crc=1))
    r = subprocess.run([os.path.join(ROOT, "tools", "ktrace-decode"), str(path)], capture_output=True, text=True)
    assert r.returncode == 0 and "getpid() = 7" in r.stdout
    assert "event table differs" in r.stderr
    r = subprocess.run([os.path.join(ROOT, "tools", "ktrace-decode"), "/nonexistent"], capture_output=True, text=True)
    assert r.returncode == 1 and r.stderr.startswith("ktrace-decode: ")


def test_every_kind_is_known():
    for c in TABLES.calls.values():
        for kind, _ in c.args:
            assert kind in TABLES.classes, (c.name, kind)
            for prefix in ("flags_", "enum_", "mix_"):
                if kind.startswith(prefix) and kind != "flags_none":
                    assert TABLES.flags.get(kind[len(prefix):]), kind


def test_event_check_sum_is_the_preprocessors(tmp_path):
    """The kernel stringifies the rows with the C preprocessor; the decoder must come to the same bytes."""
    source = tmp_path / "e.c"
    source.write_text('#define EVENT(...) #__VA_ARGS__ "\\n"\nconst char text[] =\n#include "core/ktrace_events.def"\n;\n'
                      '#include <stdio.h>\nint main(void) { fputs(text, stdout); }\n')
    exe = tmp_path / "e"
    subprocess.run(["gcc", "-I", os.path.join(ROOT, "kernel"), "-o", str(exe), str(source)], check=True)
    assert zlib.crc32(subprocess.run([str(exe)], capture_output=True, check=True).stdout) == TABLES.events_crc
