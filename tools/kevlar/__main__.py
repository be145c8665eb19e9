"""`python3 tools/kevlar ARGS`: sets up the import path and hands over to cli.main."""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit("kevlar: python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2])

# The work tree stays free of __pycache__ directories.
sys.pycache_prefix = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kevlar", "pycache")
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from kevlar.cli import main  # noqa: E402  (needs the path set above)

sys.exit(main(sys.argv[1:]))
