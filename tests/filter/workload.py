"""What Python programs do, under a level's filter: workload.py network|no-network"""
import asyncio
import concurrent.futures
import mmap
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading


def threads():
    seen = []
    started = [threading.Thread(target=seen.append, args=(i,)) for i in range(8)]
    for t in started:
        t.start()
    for t in started:
        t.join()
    assert len(seen) == 8


def processes():
    assert subprocess.check_output(["/bin/echo", "hi"]) == b"hi\n"
    assert subprocess.run("ls / | wc -l", shell=True, capture_output=True).returncode == 0
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(abs, [-1, -2])) == [1, 2]


async def loop():
    await asyncio.sleep(0.01)
    child = await asyncio.create_subprocess_exec("/bin/true")
    assert await child.wait() == 0


def files():
    with tempfile.TemporaryDirectory() as d:
        db = sqlite3.connect(d + "/x.db")
        db.execute("create table t(a)")
        db.execute("insert into t values(1)")
        db.commit()
        db.close()
        with open(d + "/a", "w") as f:
            f.write("x" * 100000)
        shutil.copy2(d + "/a", d + "/b")
        os.chmod(d + "/b", 0o755)
        os.symlink("a", d + "/l")
        os.rename(d + "/b", d + "/c")
        os.mkfifo(d + "/f")
        os.utime(d + "/a")
        os.statvfs(d)
        with open(d + "/a", "r+b") as f:
            assert mmap.mmap(f.fileno(), 0)[:3] == b"xxx"


def sockets(network):
    a, b = socket.socketpair()
    a.send(b"x")
    assert b.recv(1) == b"x"
    if not network:
        try:
            socket.socket()
        except OSError as e:
            assert e.errno == 97  # EAFNOSUPPORT
            return
        assert False, "a socket without a network"
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    socket.create_connection(server.getsockname())
    server.accept()
    socket.getaddrinfo("localhost", 80)


def limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, PermissionError):
        return
    assert False, "RLIMIT_CORE was lowered"


if __name__ == "__main__":
    threads()
    processes()
    asyncio.run(loop())
    files()
    sockets(sys.argv[1] == "network")
    limits()
    print("ok")
