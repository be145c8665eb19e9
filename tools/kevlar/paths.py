"""Where things are: the source tree, what make builds there, and the user's cache."""

import os
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / "build"
TESTS = TOP / "tests"


def cache() -> Path:
    """The cache directory, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "kevlar"
    path.mkdir(parents=True, exist_ok=True)
    return path
