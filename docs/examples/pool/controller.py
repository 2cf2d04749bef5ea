#!/usr/bin/env python3
"""Keeps warm sandboxes and runs the jobs of a queue directory in them.  docs/reuse.md

    controller.py --queue DIR --bundle DIR [--warm N] [--brig WORDS] [--once]

    DIR/new/NAME.json    what is to be run; whoever writes it there renames it into place
    DIR/run/NAME.json    what is being run
    DIR/done/NAME/       stdout, stderr, result.json (how it ended), report.json (of the reset)

A job: {"args": ["python3", "-c", "..."], "env": ["K=V"], "cwd": "/workspace",
        "stdin": "text", "tenant": "whose it is", "timeout": "10s"}

A sandbox that a job has used is used again when its reset says "clean": true, and only for the
same tenant.  On anything else it is deleted, and another one is made: no answer is taken for a
good one.  The controller may be killed at any moment.  The next one deletes the sandboxes that
have its prefix, and puts the jobs back that were not done.
"""
import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

REFUSED = 76  # tainted, too old, used too often, not clean


class Failed(Exception):
    """brig has said no."""


class Brig:
    def __init__(self, words):
        self.words = words

    def run(self, *args, **how):
        return subprocess.run([*self.words, *args], check=False, **how)

    def ok(self, *args, stdin=subprocess.DEVNULL):
        """stdout; its streams are no sandbox's: create gets none of ours."""
        done = self.run(*args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Failed(f"{args[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def make(self, name, bundle, options):
        # What create leaves behind holds its streams: they must not be pipes that we read.
        done = self.run("create", "--reuse", *options, "-b", bundle, name,
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"create {name}: exit code {done.returncode}")

    def delete(self, name):
        self.run("delete", "--force", name, stderr=subprocess.DEVNULL)

    def reset(self, name):
        """The report, also of a reset that was refused; None: there is none."""
        done = self.run("reset", "--kill", name, stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL)
        try:
            return json.loads(done.stdout) if done.returncode in (0, REFUSED) else None
        except ValueError:
            return None


class Queue:
    def __init__(self, path):
        self.path = path
        for name in ("new", "run", "done"):
            os.makedirs(os.path.join(path, name), exist_ok=True)
        # One controller for a queue: the lock goes with the process.
        self.lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"controller: {path}: another controller works on it")
        for job in os.listdir(self.at("run")):
            os.rename(self.at("run", job), self.at("new", job))

    def at(self, *words):
        return os.path.join(self.path, *words)

    def take(self):
        """The name of a job that nobody else has, or None."""
        for job in sorted(os.listdir(self.at("new"))):
            if not job.endswith(".json") or job.startswith("."):
                continue
            try:
                os.rename(self.at("new", job), self.at("run", job))
            except FileNotFoundError:
                continue
            return job
        return None

    def read(self, job):
        with open(self.at("run", job), encoding="utf-8") as f:
            work = json.load(f)
        if not isinstance(work, dict) or not isinstance(work.get("args"), list):
            raise ValueError("a job is an object with args")
        return work

    def put(self, job, outcome):
        """What became of it; the job counts as done when its directory is there."""
        name = job[: -len(".json")]
        made = self.at("done", f".{name}")
        shutil.rmtree(made, ignore_errors=True)
        os.mkdir(made)
        for file, data in outcome.items():
            with open(os.path.join(made, file), "wb") as f:
                f.write(data)
        shutil.rmtree(self.at("done", name), ignore_errors=True)
        os.rename(made, self.at("done", name))
        os.unlink(self.at("run", job))


class Worker(threading.Thread):
    """One sandbox, and its jobs one after the other."""

    def __init__(self, number, options, brig, jobs):
        super().__init__()
        self.name = f"{options.prefix}-{number}"
        self.options, self.brig, self.jobs = options, brig, jobs
        self.made, self.tenant = False, None
        self.replaced = self.recycled = 0

    def warm(self):
        if not self.made:
            self.brig.delete(self.name)
            self.brig.make(self.name, self.options.bundle, self.options.create)
            self.made, self.tenant = True, None

    def replace(self):
        self.brig.delete(self.name)
        self.made = False
        self.replaced += 1

    def recycle(self):
        report = self.brig.reset(self.name)
        if report and report.get("clean") is True:
            self.recycled += 1
        else:
            self.replace()
        return report

    def execute(self, work):
        """stdout, stderr and how it ended."""
        document = {k: work[k] for k in ("args", "env", "cwd") if k in work}
        with open_memory(json.dumps(document).encode()) as process, \
                open_memory(str(work.get("stdin", "")).encode()) as stdin, \
                open_memory(b"") as out, open_memory(b"") as err:
            done = self.brig.run("start", "--process", f"/proc/self/fd/{process.fileno()}",
                                 self.name, stdin=stdin, stdout=out, stderr=err,
                                 pass_fds=[process.fileno()])
            if done.returncode != 0:
                raise Failed(f"start: {read_all(err).decode(errors='replace').strip()}")
            # wait ends as the program did: its exit code says nothing of wait itself.
            waited = self.brig.run("wait", self.name, stdout=subprocess.PIPE)
            return {"stdout": read_all(out), "stderr": read_all(err),
                    "result.json": waited.stdout}

    def do(self, job):
        try:
            work = self.jobs.read(job)
        except (OSError, ValueError) as error:
            self.jobs.put(job, {"error": f"{error}\n".encode()})
            return
        if self.made and self.tenant not in (None, work.get("tenant", "")):
            self.replace()
        try:
            self.warm()
            self.tenant = work.get("tenant", "")
            outcome = self.execute(work)
        except Failed as error:
            self.replace()
            outcome = {"error": f"{error}\n".encode()}
        else:
            outcome["report.json"] = json.dumps(self.recycle()).encode()
        self.jobs.put(job, outcome)

    def run(self):
        try:
            self.work()
        finally:
            self.brig.delete(self.name)

    def work(self):
        idle = 0.01
        while not stop.is_set():
            try:
                self.warm()
            except Failed as error:
                print(f"controller: {error}", file=sys.stderr)
                stop.wait(1)
                continue
            job = self.jobs.take()
            if job:
                self.do(job)
                idle = 0.01
            elif self.options.once:
                return
            else:
                stop.wait(idle)
                idle = min(idle * 2, 0.5)


def open_memory(data):
    """A file of this process's memory: streams that no disk has to hold."""
    f = os.fdopen(os.memfd_create("stream"), "w+b")
    f.write(data)
    f.flush()
    f.seek(0)
    return f


def read_all(f):
    f.seek(0)
    return f.read()


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--queue", required=True)
    p.add_argument("--bundle", required=True)
    p.add_argument("--warm", type=int, default=2, help="how many sandboxes")
    p.add_argument("--prefix", default="warm", help="of their names")
    p.add_argument("--once", action="store_true", help="end when the queue is empty")
    p.add_argument("--brig", default="brig --level high", help="brig with its global options")
    p.add_argument("--max-uses", default="100")
    p.add_argument("--max-age", default="1h")
    o = p.parse_args()
    o.create = ["--max-uses", o.max_uses, "--max-age", o.max_age]
    return o


stop = threading.Event()


def main():
    options = parse()
    brig = Brig(options.brig.split())
    jobs = Queue(options.queue)
    for name in brig.ok("list", "-q").decode().split():
        if name.startswith(options.prefix + "-"):
            brig.delete(name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workers = [Worker(n, options, brig, jobs) for n in range(options.warm)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    print(json.dumps({"recycled": sum(w.recycled for w in workers),
                      "replaced": sum(w.replaced for w in workers)}))


if __name__ == "__main__":
    main()
