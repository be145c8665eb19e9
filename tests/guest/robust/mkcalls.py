#!/usr/bin/env python3
"""Makes calls.inc, the tables of badargs.c, from abi/syscalls.def, kinds.def and flags.def and, where
it is there, from badargs.expect, which has what Linux answers, and badargs.differs.

mkcalls.py TOP > calls.inc
mkcalls.py TOP --record FILE > badargs.expect    FILE: what badargs printed on Linux with ROBUST_RECORD=1
mkcalls.py TOP --compare FILE OURS               says what differs, in the form of badargs.differs
"""

import itertools
import re
import sys
from pathlib import Path

ROW = re.compile(r"^SYSCALL\((\w+),\s*(\w+),\s*(\w+),\s*RET_(\w+),\s*ARGS(\d)\((.*?)\),\s*(\w+),\s*([^,]+),\s*\"", re.M | re.S)
KIND = re.compile(r"^KIND\((\w+),\s*(\w+),", re.M)
FLAG = re.compile(r"^FLAG\((\w+),\s*\w+,\s*([^,]+),\s*\w+\)", re.M)


def values(text: str) -> dict[str, list[int]]:
    """Set -> the values of its names."""
    sets: dict[str, list[int]] = {}
    for name, value in FLAG.findall(text):
        number = value.strip().rstrip("uUlL")
        if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", number):
            octal = re.fullmatch(r"0[0-7]+", number)
            sets.setdefault(name, []).append(int(number, 8 if octal else 0))
    return sets


def main() -> None:
    top = Path(sys.argv[1])
    kinds = KIND.findall((top / "abi/kinds.def").read_text())
    sets = values((top / "abi/flags.def").read_text())
    print("/* Made by mkcalls.py. */\nenum { C_I32, C_U32, C_I64, C_U64, C_UADDR };\nenum {")
    print("".join(f"\tK_{name},\n" for name, _ in kinds) + "};")
    for name, numbers in sorted(sets.items()):
        numbers = list(dict.fromkeys(n & (1 << 64) - 1 for n in numbers))
        print(f"static const uint64_t set_{name}[] = {{ " + ", ".join(f"{n:#x}" for n in numbers) + " };")
    print("static const struct kind kinds[] = {")
    for name, cls in kinds:
        member = re.sub(r"^(flags|enum|mix)_", "", name)
        known = member in sets and member != name
        listed = f"set_{member}, sizeof(set_{member}) / 8" if known else "NULL, 0"
        print(f"\t{{ \"{name}\", C_{cls}, {listed} }},")
    print("};\nstatic const struct call calls[] = {")
    names = []
    for name, number, _generic, ret, count, args, level, flags in ROW.findall((top / "abi/syscalls.def").read_text()):
        words = [word.strip() for word in args.split(",")][: 2 * int(count) : 2]
        if number == "NO":
            continue
        names.append(name)
        print(f"\t{{ \"{name}\", {number}, {count}, {int(level != 'NONE')}, {int('BLOCKS' in flags)}, "
              f"{int('NOFAIL' in flags)}, {{ {', '.join('K_' + word for word in words) or '0'} }} }},")
    print("};\n#define EACH_CALL(X) " + " ".join(f"X({name}, {i})" for i, name in enumerate(names)))
    print("static const char *const expected[] = {")
    for line in lines(top / "tests/guest/robust/badargs.expect"):
        print(f"\t\"{line}\",")
    print("\tNULL\n};\nstatic const struct { const char *call; int arg; uint64_t value; const char *outcome; } differs[] = {")
    for line in lines(top / "tests/guest/robust/badargs.differs"):
        call, arg, value, outcome = line.split("#")[0].split()
        print(f"\t{{ \"{call}\", {arg}, {value}ull, \"{outcome}\" }},")
    print("\t{ NULL, 0, 0, NULL }\n};")


def lines(path: Path) -> list[str]:
    text = path.read_text() if path.exists() else ""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def records(path: str) -> dict[tuple[str, int], list[tuple[int, str]]]:
    """(call, argument) -> its values and what they came to."""
    found = {}
    for line in Path(path).read_text("utf-8", "replace").splitlines():
        if match := re.match(r"R (\w+) (\d): (.*)$", line):
            pairs = (word.split("=") for word in match[3].split())
            found[match[1], int(match[2])] = [(int(value, 16), outcome) for value, outcome in pairs]
    return found


def sets_of_calls(top: Path) -> set[tuple[str, int]]:
    """The arguments whose values are names of flags.def."""
    sets = values((top / "abi/flags.def").read_text())
    named = set()
    for name, _nr, _g, _ret, count, args, _l, _f in ROW.findall((top / "abi/syscalls.def").read_text()):
        for i, word in enumerate([w.strip() for w in args.split(",")][: 2 * int(count) : 2]):
            if re.sub(r"^(enum|mix)_", "", word) in sets and re.match(r"(enum|mix)_", word):
                named.add((name, i))
    return named


def record(top: Path, path: str) -> None:
    named = sets_of_calls(top)
    print("# What Linux 6.1 answers badargs.c: made by mkcalls.py --record, not to be edited.")
    for (call, arg), pairs in records(path).items():
        if all(outcome == "ENOSYS" for _, outcome in pairs):
            continue
        if (call, arg) in named:
            words = [f"{value:#x}={outcome}" if value else f"0={outcome}" for value, outcome in dict(pairs).items()]
        else:
            words = [key + (f"*{n}" if n > 1 else "") for key, n in
                     ((key, len(list(group))) for key, group in itertools.groupby(o for _, o in pairs))]
        print(f"{call} {arg}: {' '.join(words)}")


def compare(top: Path, linux: str, ours: str) -> None:
    known = {tuple(line.split("#")[0].split()) for line in lines(top / "tests/guest/robust/badargs.differs")}
    theirs = records(linux)
    for (call, arg), pairs in records(ours).items():
        want = dict(theirs.get((call, arg), []))
        if {outcome for _, outcome in pairs} == {"ENOSYS"} or set(want.values()) == {"ENOSYS"}:
            continue  # not there, here or in that Linux
        for value, outcome in pairs:
            if want.get(value, outcome) != outcome and (call, str(arg), f"{value:#x}", outcome) not in known:
                print(f"{call} {arg} {value:#x} {outcome}  # Linux: {want[value]}")


if len(sys.argv) == 4 and sys.argv[2] == "--record":
    record(Path(sys.argv[1]), sys.argv[3])
elif len(sys.argv) == 5 and sys.argv[2] == "--compare":
    compare(Path(sys.argv[1]), sys.argv[3], sys.argv[4])
else:
    main()
