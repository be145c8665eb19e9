#!/usr/bin/python3
"""What iperf3 -J said in a file: whether bytes moved, each way that was asked for; how fast, on standard error.

    moved.py FILE WORD...    (the words are iperf3's, for the line)
"""
import json
import sys

with open(sys.argv[1]) as f:
    end = json.load(f)["end"]
words = " ".join(sys.argv[2:])
ways = [end.get("sum_received") or end["sum"]] + ([end["sum_received_bidir_reverse"]] if "--bidir" in words else [])
print(words, *("moved" if way["bytes"] > 100000 and way.get("lost_percent", 0) < 50 else way["bytes"] for way in ways))
print(words, *(f"{way['bits_per_second'] / 1e6:.0f} Mbit/s" for way in ways), file=sys.stderr)
