#!/usr/bin/env python3
"""kill_next.py STATE COUNT CMD...: runs CMD, a reset, so often, and kills the first process of the next
generation while that is looked at, each time a little later.  Prints the exit codes, and what was said."""
import os
import re
import signal
import subprocess
import sys
import time

state, count, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
STEP, STEPS = 0.0003, 8


def first_process():
    """Its number, once it is to be verified."""
    try:
        text = open(state).read()
    except OSError:
        return 0
    pid = re.search(r'"pid":\s*(\d+)', text)
    return int(pid.group(1)) if pid and re.search(r'"journal":\s*"verify"', text) else 0


for n in range(count):
    reset = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while reset.poll() is None:
        pid = first_process()
        if pid:
            time.sleep(n % STEPS * STEP)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            break
    error = reset.communicate()[1].strip()
    print(reset.returncode, error.replace("\n", " "))
