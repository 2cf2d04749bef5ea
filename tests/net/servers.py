#!/usr/bin/python3
"""Echoes on every address and port of the network that tests make; see tests/lib/net.bash.

servers.py READY ADDRESS...: TCP answers each line with itself, UDP each datagram. TCP port 9003
sends by itself, ten times a second, 9004 resets who says something; UDP port 9100 answers from another address.  @NAME is an abstract unix socket.  READY is made when all listen.
"""
import selectors
import socket
import struct
import sys

TCP = (22, 25, 853, 8443, 5432, 9000, 9001, 9002, 9003, 9004)
UDP = (123, 443, 853, 9000, 9100)
sel = selectors.DefaultSelector()
tickers = []


def family(address):
    if address.startswith("@"):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(kind, address, port):
    s = socket.socket(family(address), kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port) if port is not None else "\0" + address[1:])
    s.setblocking(False)
    return s


def accept(s):
    c, _ = s.accept()
    if s.family != socket.AF_UNIX and s.getsockname()[1] == 9003:
        c.setblocking(False)
        tickers.append(c)
        return
    sel.register(c, selectors.EVENT_READ, echo)


def echo(c):
    try:
        data = c.recv(65536)
    except OSError:
        data = b""
    try:
        if data and c.family != socket.AF_UNIX and c.getsockname()[1] == 9004:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif data:
            c.send(data)
            return
    except OSError:
        pass
    sel.unregister(c)
    c.close()


def datagram(s):
    data, who = s.recvfrom(65536)
    s.sendto(data, who)


def main():
    for a in [a for a in sys.argv[2:] if a.startswith("@")]:
        s = listener(socket.SOCK_STREAM, a, None)
        s.listen(8)
        sel.register(s, selectors.EVENT_READ, accept)
    addresses = [a for a in sys.argv[2:] if not a.startswith("@")]
    for a in addresses:
        for p in TCP:
            s = listener(socket.SOCK_STREAM, a, p)
            s.listen(512)
            sel.register(s, selectors.EVENT_READ, accept)
        for p in UDP:
            sel.register(listener(socket.SOCK_DGRAM, a, p), selectors.EVENT_READ, datagram)
    # The answer of 9100 comes from another address of the same family.
    for a in addresses:
        other = [b for b in addresses if b != a and family(a) == family(b)]
        if other:
            far = listener(socket.SOCK_DGRAM, other[0], 0)
            for key in list(sel.get_map().values()):
                s = key.fileobj
                if s.type == socket.SOCK_DGRAM and s.getsockname()[:2] == (a, 9100):
                    sel.modify(s, selectors.EVENT_READ, spoofer(far))
    open(sys.argv[1], "w").close()
    while True:
        for key, _ in sel.select(0.1):
            key.data(key.fileobj)
        for c in list(tickers):
            try:
                c.send(b"tick\n")
            except OSError:
                tickers.remove(c)
                c.close()


def spoofer(far):
    def answer(s):
        data, who = s.recvfrom(65536)
        far.sendto(data, who)

    return answer


main()
