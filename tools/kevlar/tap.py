"""A card whose other end is this machine's own kernel, in a network of its own: with checksums, and segments cut and
joined by whoever is behind the card, which QEMU's user network has not. Takes root and /dev/net/tun.

A thread that left this machine's network has its own; so have the threads and processes it starts, and nobody
else. What is in it goes with the last of them.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from typing import Callable, TypeVar

from .errors import Failure
from .net import ADDRESS, GATEWAY, Network

TUN = "/dev/net/tun"
NAME = "kevlar0"
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETPERSIST = 0x400454ca, 0x400454cb
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891c
IFF_UP_RUNNING = 0x41
T = TypeVar("T")


def is_possible() -> bool:
    return os.geteuid() == 0 and os.access(TUN, os.R_OK | os.W_OK)


class Tap(Network):
    def words(self, machine: str) -> list[str]:
        return ["-netdev", f"tap,id=net0,ifname={NAME},script=no,downscript=no",
                "-device", "virtio-net-pci,romfile=,netdev=net0"]


KERNEL_WORD = f"ip={ADDRESS}::{GATEWAY}:255.255.255.0::eth0:off"  # there is no DHCP


def inside(body: Callable[[], T]) -> T:
    """Calls it in a thread in a network with such a card's other end, at GATEWAY; its result, or what it raised."""
    result: list[T] = []
    raised: list[BaseException] = []

    def main() -> None:
        try:
            _enter()
            result.append(body())
        except BaseException as e:
            raised.append(e)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return result[0]


def _enter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        with open(TUN, "r+b", buffering=0) as tun:
            fcntl.ioctl(tun, TUNSETIFF, _request(struct.pack("H", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)))
            fcntl.ioctl(tun, TUNSETPERSIST, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, SIOCSIFADDR, _request(_address(GATEWAY)))
            fcntl.ioctl(s, SIOCSIFNETMASK, _request(_address("255.255.255.0")))
            fcntl.ioctl(s, SIOCSIFFLAGS, _request(struct.pack("H", IFF_UP_RUNNING)))
    except OSError as e:
        raise Failure(f"a network card with offloads cannot be made: {os.strerror(e.errno)}") from None


def _request(data: bytes) -> bytes:
    return struct.pack("16s24s", NAME.encode(), data)


def _address(text: str) -> bytes:
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))
