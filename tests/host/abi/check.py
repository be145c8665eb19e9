#!/usr/bin/env python3
"""Compares abi/ with linux-libc-dev's headers, and with libc's where only libc has a name.

usage: check.py [-v]     -v names what has no counterpart, with the reason

Our values are taken from our headers; then each becomes a claim about the other headers,
which gcc and clang check. Everything starts from our files, so nothing can be left out.
reference.py holds the counterparts and the exceptions.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import reference as ref  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
ABI = ROOT / "abi"
COMPILERS = ("gcc", "clang")
SKIP = {"syscall_kinds.h", "flags.h"}
HEADERS = [h for h in sorted(ABI.rglob("*.h")) if h.name not in SKIP]


class Score:
    def __init__(self):
        self.passed = 0
        self.failures = []

    def note(self, ok, text):
        if ok:
            self.passed += 1
        else:
            self.failures.append(text)


def compile_c(compiler, source, *flags):
    cmd = [compiler, "-std=gnu11", *flags, f"-I{ROOT}", "-x", "c", "-"]
    # in /, since the directory that a compiler runs in comes before -I
    return subprocess.run(cmd, input=source, capture_output=True, text=True, cwd="/")


def run_c(source):
    with tempfile.TemporaryDirectory() as tmp:
        out = compile_c("gcc", source, "-w", "-o", f"{tmp}/a")
        if out.returncode:
            sys.exit(out.stderr)
        return subprocess.run([f"{tmp}/a"], capture_output=True, text=True, check=True).stdout


def includes(headers):
    return "#define _GNU_SOURCE\n#include <stddef.h>\n" + "".join(
        f"#include <{h}>\n" for h in headers
    )


def our_includes():
    return "".join(f'#include "{h.relative_to(ROOT)}"\n' for h in HEADERS)


def assert_all(score, prelude, claims):
    """claims: [(name, C condition)], checked by each compiler; line i of the source is claim i."""
    source = prelude + "#line 1\n"
    # not _Static_assert: only in an array's size does clang fold a cast pointer such as SIG_DFL
    for i, (_, cond) in enumerate(claims):
        source += f"extern char claim_{i}[({cond}) ? 1 : -1];\n"
    for cc in COMPILERS:
        limit = "-fmax-errors=0" if cc == "gcc" else "-ferror-limit=0"
        err = compile_c(cc, source, "-w", "-fsyntax-only", limit).stderr
        bad = {}
        for m in re.finditer(r"^<stdin>:(\d+):\d+: error: (.*)$", err, re.M):
            bad.setdefault(int(m[1]), m[2])
        if "error:" in err and not bad:
            sys.exit(err)
        for i, (name, cond) in enumerate(claims, 1):
            score.note(i not in bad, f"{cc}: {name}: {cond}: {bad.get(i)}")


# Constants


def our_macros():
    """{name: (parameter list or "", text)} of every macro in abi/."""
    found = {}
    for header in HEADERS:
        for m in re.finditer(r"^#define (\w+)(\([^)]*\))?[ \t]+(.*)", header.read_text(), re.M):
            found[m[1]] = m[2] or "", m[3]
    return found


def our_values(score, macros):
    """{expression: the literal it must equal}: of each macro, or of calls of it with samples."""
    values, numbers = {}, []
    for name, (params, text) in macros.items():
        key = "S_IS" if name.startswith("S_IS") and params else name
        if text.startswith('"'):
            values[name] = text
        elif not params:
            numbers.append(name)
        else:
            numbers += [name + args for args in ref.SAMPLES.get(key, ())]
            score.note(key in ref.SAMPLES, f"{name}: no sample arguments in reference.py")
    lines = "".join(f'printf("%lluULL\\n", (unsigned long long)({n}));\n' for n in numbers)
    out = run_c("#include <stdio.h>\n" + our_includes() + "int main(void) {\n" + lines + "}\n")
    values.update(zip(numbers, out.split(), strict=True))
    return values


def known_names(prelude, names):
    """The names that mean something after the prelude: macros, and enumerators by trial."""
    macros = compile_c("gcc", prelude, "-E", "-dM").stdout
    defined = set(re.findall(r"^#define (\w+)", macros, re.M))
    rest = sorted(set(names) - defined)
    trial = prelude + "#line 1\n" + "".join(f"__typeof__({n}) *try_{n};\n" for n in rest)
    err = compile_c("gcc", trial, "-w", "-fsyntax-only", "-fmax-errors=0").stderr
    unknown = {int(n) for n in re.findall(r"^<stdin>:(\d+):\d+: error", err, re.M)}
    if "error:" in err and not unknown:
        sys.exit(err)
    return set(names) & defined | {n for i, n in enumerate(rest, 1) if i not in unknown}


def same(expr, value):
    if value.startswith('"'):
        return f"sizeof({expr}) == sizeof({value}) && !__builtin_strcmp({expr}, {value})"
    return f"(unsigned long long)({expr}) == {value}"


def check_constants(score, absent):
    macros = our_macros()
    values = our_values(score, macros)
    differs = {n for n in macros if ref.ABSENT.get(n, "").startswith("differs")}
    left = {ref.RENAMED.get(n, n) for n in macros} - differs
    absent.update(differs)
    for headers in (ref.UAPI, ref.LIBC):
        prelude = includes(headers)
        known = known_names(prelude, left)
        claims = []
        for expr, value in values.items():
            theirs = ref.RENAMED.get(expr, expr)
            if re.match(r"\w+", theirs)[0] in known:
                claims.append((expr, same(theirs, value)))
        assert_all(score, prelude, claims)
        left -= known
    absent.update(left)


# Structures


def our_structs():
    """{name: (keyword, [member paths])}, read from the headers' text."""
    found = {}
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for m in re.finditer(r"^(struct|union) (abi_\w+) \{\n(.*?)^\}", text, re.S | re.M):
            found[m[2]] = (m[1], list(members(m[3])))
    return found


def members(body):
    """Member paths of a structure's body; an anonymous union or structure adds nothing to them."""
    lines, scope = body.splitlines(), []
    for i, line in enumerate(lines):
        depth = len(line) - len(line.lstrip("\t"))
        if line.endswith("{"):
            end = next(l for l in lines[i:] if l.startswith("\t" * depth + "}"))
            scope.append(end.strip("\t }; "))
        elif line.lstrip().startswith("}"):
            scope.pop()
        elif m := re.search(r"(\w+)(\[\w*\])*;", line):
            yield ".".join([s for s in scope if s] + [m[1]])


def measures(structs):
    """[(struct, path, "sizeof" or "offset", number)] as our headers have it."""
    lines = ""
    for name, (keyword, paths) in structs.items():
        typ = f"{keyword} {name}"
        lines += f'printf("{name} sizeof sizeof %zu\\n", sizeof({typ}));\n'
        for path in paths:
            lines += f'printf("{name} {path} offset %zu\\n", offsetof({typ}, {path}));\n'
            if not flexible(name, path):
                lines += f'printf("{name} {path} sizeof %zu\\n", sizeof((({typ} *)0)->{path}));\n'
    prelude = "#include <stddef.h>\n#include <stdio.h>\n" + our_includes()
    for line in run_c(prelude + "int main(void) {\n" + lines + "}\n").splitlines():
        name, path, what, number = line.split()
        yield name, path, what, int(number)


def flexible(name, path):
    return (name, path) in FLEXIBLE


def find_flexible():
    for header in HEADERS:
        for m in re.finditer(r"^struct (abi_\w+) \{\n(.*?)^\}", header.read_text(), re.S | re.M):
            for f in re.finditer(r"(\w+)\[\];", m[2]):
                yield m[1], f[1]


FLEXIBLE = set(find_flexible())


def check_structs(score, absent):
    structs = our_structs()
    claims, ours = {}, []
    for name, path, what, number in measures(structs):
        typ = f"{structs[name][0]} {name}"
        ours.append((f"{name}.{path} {what}", f"{measure(typ, path, what)} == {number}"))
        if name not in ref.STRUCTS:
            absent.add(name)
            continue
        headers, theirs, names = ref.STRUCTS[name]
        padding = path.split(".")[-1].startswith("__") and path not in names
        if padding:
            continue
        if names.get(path, path) is None:
            absent.add(f"{name}.{path}")
            continue
        cond = f"{measure(theirs, names.get(path, path), what)} == {number}"
        claims.setdefault(headers, []).append((f"{name}.{path} {what}", cond))
    for headers, list_ in claims.items():
        assert_all(score, includes(headers.split()), list_)
    assert_all(score, "#include <stddef.h>\n" + our_includes(), ours)
    for name in set(ref.STRUCTS) - set(structs):
        score.note(False, f"{name}: in reference.py, but not in abi/")


def measure(typ, path, what):
    if path == "sizeof":
        return f"sizeof({typ})"
    if what == "sizeof":
        return f"sizeof((({typ} *)0)->{path})"
    return f"offsetof({typ}, {path})"


# Tables


def table(name, macro):
    text = re.sub(r"/\*.*?\*/", "", (ABI / name).read_text(), flags=re.S)
    return [
        re.split(r",\s*", m[1])
        for m in re.finditer(rf"^{macro}\((.*?)\)\s*$", text, re.S | re.M)
    ]


def unistd(headers, defines=()):
    prelude = "".join(f"#define __ARCH_WANT_{d}\n" for d in defines) + includes(headers)
    text = compile_c("gcc", prelude, "-E", "-dM").stdout
    macros = dict(re.findall(r"^#define (__NR\w+) (\w+)$", text, re.M))

    def number(value):
        return int(value) if value.isdigit() else number(macros[value])

    skip = {"__NR_syscalls", "__NR_arch_specific_syscall"}
    names = (n for n in macros if n.startswith("__NR_") and n not in skip)
    return prelude, {n[5:]: number(macros[n]) for n in names}


def check_calls(score, absent):
    calls = table("syscalls.def", "SYSCALL")
    for column, headers, defines in (
        (1, ["asm/unistd_64.h"], ()),
        (2, ["asm-generic/unistd.h"], ref.GENERIC_CALLS),
    ):
        prelude, theirs = unistd(headers, defines)
        claims = []
        for call in calls:
            name, number = call[0], call[column]
            # the generic table calls it fstatat, for the sake of 32-bit architectures
            other = name if name in theirs or column == 1 else name.replace("newfstatat", "fstatat")
            if number == "NO":
                score.note(other not in theirs, f"{name}: NO, but {headers[0]} has it")
            elif other in theirs:
                claims.append((f"{name} in {headers[0]}", f"__NR_{other} == {number}"))
                theirs.pop(other)
            else:
                absent.add(f"sys_{name}")
        assert_all(score, prelude, claims)
        for name in theirs:
            score.note(False, f"{name}: in {headers[0]}, but not in syscalls.def")
    for column in (1, 2):
        numbers = [c[column] for c in calls if c[column] != "NO"]
        twice = {n for n in numbers if numbers.count(n) > 1}
        score.note(not twice, f"syscalls.def: twice in column {column}: {twice}")


def check_tables(score):
    errors = table("errno.def", "ERRNO")
    claims = [(f"errno.def {n}", f"({n}) == {v}") for n, v, *_ in errors]
    flags = table("flags.def", "FLAG")
    claims += [(f"flags.def {s} {n}", same(n, v + "ULL")) for s, n, v, _ in flags]
    assert_all(score, our_includes(), claims)

    for name, number, *text in errors:
        libc = os.strerror(int(number))
        score.note(libc == ", ".join(text).strip('"'), f"errno.def {name}: libc says {libc}")
    in_header = set(re.findall(r"^#define (E\w+)\s+\d+", (ABI / "errno.h").read_text(), re.M))
    named = {e[0] for e in errors} | {e for e in in_header if e.startswith("ERESTART")}
    score.note(in_header == named, f"errno.h and errno.def: {in_header ^ named}")

    sets = {f[0] for f in flags}
    kinds = {k[0] for k in table("kinds.def", "KIND")}
    declared = set(re.findall(r"^\tFS_(\w+),", (ABI / "flags.h").read_text(), re.M))
    score.note(declared == sets, f"flags.h and flags.def: {declared ^ sets}")
    for kind in kinds:
        if m := re.fullmatch(r"(flags|enum|mix)_(\w+)", kind):
            score.note(m[2] in sets | {"none"}, f"kind {kind}: no set of this name in flags.def")
    text = (ABI / "syscalls.def").read_text()
    used = set()
    for m in re.finditer(r"ARGS\d\(([^)]*)\)", re.sub(r"/\*.*?\*/", "", text, flags=re.S)):
        used.update(a.strip() for a in m[1].split(",")[0::2] if a.strip())
    score.note(used <= kinds, f"syscalls.def: unknown kinds {used - kinds}")
    score.note(kinds <= used, f"kinds.def: unused {kinds - used}")


def check_self_contained(score):
    flags = ["-ffreestanding", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    for header in HEADERS + [ABI / "flags.h"]:
        for cc in COMPILERS:
            out = compile_c(cc, f'#include "{header.relative_to(ROOT)}"\n', *flags)
            score.note(out.returncode == 0, f"{cc}: {header.name} alone: {out.stderr}")


def check_consumer(score):
    source = (Path(__file__).parent / "consumer.c").read_text()
    flags = ["-O1", "-Wall", "-Wextra", "-Wconversion", "-Woverride-init", "-Werror"]
    flags.append(f"-I{ROOT}/kernel")
    for cc in COMPILERS:
        for numbering in ("", "#include <stdio.h>\n#undef __x86_64__\n"):
            with tempfile.TemporaryDirectory() as tmp:
                out = compile_c(cc, numbering + source, *flags, "-o", f"{tmp}/a")
                if out.returncode == 0:
                    out = subprocess.run([f"{tmp}/a"], capture_output=True, text=True)
            score.note(out.returncode == 0, f"{cc}: consumer.c: {out.stdout}{out.stderr}")


def main(argv):
    score, absent = Score(), set()
    check_self_contained(score)
    check_constants(score, absent)
    check_structs(score, absent)
    check_calls(score, absent)
    check_tables(score)
    check_consumer(score)
    for name in sorted(absent):
        reason = ref.ABSENT.get(name)
        score.note(reason is not None, f"{name}: no counterpart, and no reason in reference.py")
        if reason and argv == ["-v"]:
            print(f"no counterpart: {name}: {reason}")
    for text in score.failures:
        print(f"FAIL {text}")
    print(f"{len(absent)} names have no counterpart (-v: which, and why)")
    print(f"{score.passed} passed, {len(score.failures)} failed")
    return 1 if score.failures else 0


sys.exit(main(sys.argv[1:]))
