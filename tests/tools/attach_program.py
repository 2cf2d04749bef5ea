#!/usr/bin/env python3
"""attach_program.py DIR: attaches a device program that allows everything to a directory of cgroup2,
beside those that are there, and leaves it there."""
import ctypes
import os
import platform
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, PROG_ATTACH = 5, 8
CGROUP_DEVICE_TYPE, CGROUP_DEVICE_ATTACH, ALLOW_MULTI = 15, 6, 2
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    attr = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    r = libc.syscall(SYS_BPF, command, attr, 128)
    if r < 0:
        raise OSError(ctypes.get_errno(), "bpf command %d" % command)
    return r


# r0 = 1; exit
code = struct.pack("<BBhi", 0xB7, 0, 0, 1) + struct.pack("<BBhi", 0x95, 0, 0, 0)
code, license = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
program = bpf(PROG_LOAD, struct.pack("<IIQQ", CGROUP_DEVICE_TYPE, 2, ctypes.addressof(code),
                                     ctypes.addressof(license)))
bpf(PROG_ATTACH, struct.pack("<IIII", os.open(sys.argv[1], os.O_RDONLY), program,
                             CGROUP_DEVICE_ATTACH, ALLOW_MULTI))
