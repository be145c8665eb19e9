"""The kernel's log, as it came over the first serial port."""

import re

LIMIT = 8 << 20
# A panic as a kernel announces it: the first words of a line, after a time stamp.
_ANNOUNCED = re.compile(rb"^(?:\[[^\]]*\]\s*)*(?:kernel\s+)?panic\b(?!=).*", re.IGNORECASE)
_MENTIONED = re.compile(rb"\bpanic\b(?!=)", re.IGNORECASE)
_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|.)")


class KernelLog:
    def __init__(self) -> None:
        self.data = bytearray()
        self._line_start = 0
        self.panic: str | None = None  # the line that announced it

    def feed(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\n", self._line_start)) >= 0:
            line = self.data[self._line_start:end].strip()
            self._line_start = end + 1
            if self.panic is None and _ANNOUNCED.match(line):
                self.panic = line.decode("utf-8", "replace")
        if len(self.data) > LIMIT:
            cut = len(self.data) - LIMIT // 2
            del self.data[:cut]
            self._line_start = max(0, self._line_start - cut)

    def lines(self) -> list[str]:
        text = _ESCAPES.sub(b"", bytes(self.data)).decode("utf-8", "replace")
        return [line for raw in text.split("\n") if (line := raw.rstrip())]

    def tail(self, count: int = 20) -> str:
        return "\n".join(self.lines()[-count:])

    def panics(self) -> list[str]:
        """Every line that speaks of a panic, the echoed command line apart."""
        return [line for line in self.lines()
                if _MENTIONED.search(line.encode()) and "ommand line" not in line]
