#!/usr/bin/python3
"""A name server that lies: bad_dns.py READY LOG ADDRESS PORT.

What it answers is the first label of the name; the rest only says whose it is.  Each query goes
to LOG as hex, so that a test sees what has left.
"""
import socket
import struct
import sys

CLASS = b"\0\1"


def name(text):
    return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".") if x) + b"\0"


def record(data, kind=1, owner=b"\xc0\x0c", ttl=60):
    return owner + struct.pack(">H", kind) + CLASS + struct.pack(">IH", ttl, len(data)) + data


def a(text, **more):
    return record(socket.inet_aton(text), **more)


def aaaa(text, **more):
    return record(socket.inet_pton(socket.AF_INET6, text), 28, **more)


def question(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return labels, struct.unpack(">H", query[at + 1 : at + 3])[0], query[12 : at + 5]


def reply(query, records, flags=0x8180, count=None, q=None, ident=None):
    _, _, asked = question(query)
    head = ident or query[:2]
    n = len(records) if count is None else count
    return head + struct.pack(">HHHHH", flags, 1, n, 0, 0) + (q or asked) + b"".join(records)


ADDRESSES = {
    # what a name must never lead to, each under a name of its own
    "loopback": "127.0.0.1", "zero": "0.0.0.0", "private": "10.9.9.9", "metadata": "169.254.169.254",
    "lan": "192.168.9.9", "cgnat": "100.64.0.1", "multicast": "224.0.0.5", "broadcast": "255.255.255.255",
    "gateway": "192.0.2.1", "good": "203.0.113.10",
}
SIX = {
    "loopback": "::1", "zero": "::", "private": "fd00::9", "metadata": "fd00:ec2::254",
    "mapped": "::ffff:10.9.9.9", "mapped-good": "::ffff:203.0.113.10", "nat64": "64:ff9b::a09:909",
    "linklocal": "fe80::1", "multicast": "ff02::1", "good": "2001:db8::10", "sixtofour": "2002:a09:909::1",
}


def honest(query, what, kind):
    if kind == 1 and what in ADDRESSES:
        return [a(ADDRESSES[what])]
    if kind == 28 and what in SIX:
        return [aaaa(SIX[what])]
    if kind == 1 and what == "mixed":
        return [a("10.9.9.9"), a("203.0.113.10")]
    return []


def chain(labels, kind, links):
    """A CNAME chain of so many links that ends at 203.0.113.10."""
    out, owner = [], b"\xc0\x0c"
    for i in range(links):
        target = name("link%d.chain.test" % i)
        out.append(record(target, 5, owner))
        owner = target
    return out + ([a("203.0.113.10", owner=owner)] if kind == 1 else [])


def answers(query):
    """The datagrams to send, none for silence."""
    labels, kind, asked = question(query)
    what = labels[0].lower() if labels else ""
    good = reply(query, [a("203.0.113.10")] if kind == 1 else [])
    bad = a("198.51.100.5")
    if what.startswith("chain"):
        return [reply(query, chain(labels, kind, int(what[5:])))]
    if what == "self":
        return [reply(query, [record(b"\xc0\x0c", 5)])]
    if what == "wrongid":
        return [reply(query, [bad], ident=b"\0\0"), good]
    if what == "wrongname":
        return [reply(query, [bad], q=name("other.test") + asked[-4:]), good]
    if what == "wrongowner":
        return [reply(query, [a("198.51.100.5", owner=name("other.test"))])]
    if what == "question":
        return [query, good]
    if what == "counts":
        return [reply(query, [bad], count=65535)]
    if what == "short":
        return [good[:11]]
    if what == "cut":
        return [good[:-2]]
    if what == "loop":
        return [reply(query, [a("198.51.100.5", owner=b"\xc0\x2a")], q=asked)]
    if what == "length":
        return [reply(query, [record(b"\1\2\3")])]
    if what == "noise":
        return [bytes((i * 37) & 255 for i in range(700)), query[:2] + b"\xff" * 1200]
    if what == "empty":
        return [b""]
    if what == "servfail":
        return [reply(query, [], 0x8182)]
    if what == "nxdomain":
        return [reply(query, [], 0x8183)]
    if what == "silent":
        return []
    if what == "huge":
        return [reply(query, [a("203.0.113.%d" % (i % 250 + 1)) for i in range(200)])[:4000]]
    if what == "ttl0":
        return [reply(query, [a("203.0.113.10", ttl=0)] if kind == 1 else [])]
    if what == "ttlmax":
        return [reply(query, [a("203.0.113.10", ttl=0x7FFFFFFF)] if kind == 1 else [])]
    if what == "truncated":
        return [reply(query, [], 0x8380)]
    if len(labels) > 1 and labels[-2:] == ["many", "test"]:
        i = int(what[1:])
        return [reply(query, [a("11.0.%d.%d" % (i >> 8, i & 255))] if kind == 1 else [])]
    return [reply(query, honest(query, what, kind))]


def main():
    ready, log, address, port = sys.argv[1:]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((address, int(port)))
    open(ready, "w").close()
    with open(log, "a", buffering=1) as out:
        while True:
            query, who = s.recvfrom(4096)
            out.write(query.hex() + "\n")
            try:
                for m in answers(query):
                    s.sendto(m, who)
            except (IndexError, ValueError):
                pass


main()
