#!/usr/bin/python3
"""kubectl's part of a port-forward, for tests.

    portforward.py URL PORT

connects to URL, which PortForward of the runtime's interface has answered, sends what is on
standard input to PORT of the pod and prints what comes back.  The protocol is v4.channel.k8s.io over
WebSocket (RFC 6455): each message begins with its channel, 0 for data and 1 for errors, and the
first one of each has the port.
"""
import base64
import os
import socket
import struct
import sys
import urllib.parse


def take(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def messages(stream):
    """Operation code and payload of each frame; servers do not mask, and small ones do not split."""
    while True:
        code, size = take(stream, 2)
        if size == 126:
            size, = struct.unpack(">H", take(stream, 2))
        elif size == 127:
            size, = struct.unpack(">Q", take(stream, 8))
        yield code & 15, take(stream, size)


def frame(payload):
    """A binary frame with a mask, as a client has to."""
    mask = os.urandom(4)
    head = bytes([0x82]) + (bytes([0x80 | len(payload)]) if len(payload) < 126
                            else struct.pack(">BH", 0x80 | 126, len(payload)))
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def main(url, port):
    where = urllib.parse.urlsplit(url)
    connection = socket.create_connection((where.hostname, where.port), timeout=10)
    stream = connection.makefile("rb")
    connection.sendall((
        f"GET {where.path}?port={port} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n").encode())
    answer = stream.readline()
    if b" 101 " not in answer:
        sys.exit(f"portforward.py: {answer.decode().strip()}")
    while stream.readline().strip():
        pass
    connection.sendall(frame(b"\0" + sys.stdin.buffer.read()))
    begun = set()
    try:
        for code, payload in messages(stream):
            if code == 8:
                break
            if code not in (1, 2) or not payload:
                continue
            channel, data = payload[0], payload[1:]
            if channel not in begun:
                begun.add(channel)
            elif channel == 0:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            elif data:
                sys.exit(f"portforward.py: {data.decode(errors='replace')}")
    except (EOFError, TimeoutError):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
