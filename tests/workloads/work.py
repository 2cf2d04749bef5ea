"""What Python jobs do, inside a sandbox.  Prints cpus N, what is refused, then ok."""
import asyncio
import concurrent.futures
import http.client
import http.server
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import zipfile


def threads():
    box, lock = [], threading.Lock()

    def add(i):
        with lock:
            box.append(i)

    started = [threading.Thread(target=add, args=(i,)) for i in range(16)]
    for t in started:
        t.start()
    for t in started:
        t.join()
    assert sorted(box) == list(range(16))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(len, ["a", "bb"])) == 3


def processes():
    out = subprocess.run(["sh", "-c", "cat | tr a-z A-Z; exit 3"], input=b"abc", capture_output=True)
    assert (out.returncode, out.stdout) == (3, b"ABC")
    for how in ("fork", "spawn"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
    child = subprocess.Popen(["sleep", "100"])
    child.terminate()
    assert child.wait() == -15


async def loop():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"HELLO\n"
    writer.close()
    server.close()
    child = await asyncio.create_subprocess_exec("echo", "x", stdout=asyncio.subprocess.PIPE)
    assert (await child.communicate())[0] == b"x\n"
    assert await asyncio.to_thread(lambda: 7) == 7


def database():
    db = sqlite3.connect("x.db")
    db.execute("pragma journal_mode=wal")
    with db:
        db.execute("create table t(a integer primary key, b text)")
        db.executemany("insert into t(b) values(?)", [(str(i),) for i in range(1000)])
    assert db.execute("select count(*) from t").fetchone() == (1000,)
    db.close()


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    c = http.client.HTTPConnection("localhost" if os.path.exists("/etc/hosts") else "127.0.0.1",
                                   server.server_port)
    c.request("GET", "/x.db")
    assert c.getresponse().read()[:6] == b"SQLite"
    server.shutdown()


def outside():
    """Nothing but loopback answers, at once and not after a time-out."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    except socket.timeout:
        raise AssertionError("a connection outward hangs")
    except OSError:
        return
    raise AssertionError("a connection outward was made")


def wheel():
    """A wheel is a zip file with three texts about itself."""
    info = "trywheel-1.0.dist-info/"
    files = {
        "trywheel.py": "def two():\n    return 2\n",
        info + "METADATA": "Metadata-Version: 2.1\nName: trywheel\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[info + "RECORD"] = "".join(f + ",,\n" for f in files) + info + "RECORD,,\n"
    with zipfile.ZipFile("trywheel-1.0-py3-none-any.whl", "w") as z:
        for name, text in files.items():
            z.writestr(name, text)


def venv():
    subprocess.check_call([sys.executable, "-m", "venv", "v"])
    wheel()
    subprocess.check_call(["v/bin/pip", "install", "-q", "--no-index", "--disable-pip-version-check",
                           "./trywheel-1.0-py3-none-any.whl"])
    out = subprocess.check_output(["v/bin/python", "-c", "import trywheel; print(trywheel.two())"])
    assert out == b"2\n"


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp(dir=os.environ["HOME"]))
    threads()
    processes()
    asyncio.run(loop())
    database()
    serve()
    outside()
    if "venv" in sys.argv:
        venv()
    print("cpus", len(os.sched_getaffinity(0)))
    print("cpu_count", os.cpu_count())
    print("ok")
