"""A reset hook for whoever reuses claimed sandboxes: prime, recyclable, reset.

Fleet managers that reuse a claimed sandbox for many rollouts ask a hook three things: to take a
baseline at the first claim, whether the sandbox can be recycled at all, and to restore it between
two rollouts and say whether it is as at first.  Hooks of that shape run shell commands inside,
in what has just been used.  This one asks brig, from the node, and nothing inside has a say:

    hook = BrigReset(["brig"])
    baseline = hook.prime(handle)          # once
    if hook.recyclable(baseline):
        outcome = hook.reset(handle, baseline, timeout=5.0)
        if not outcome.clean:              # quarantine: release it, claim another
            ...

A handle has the name of its sandbox on this node as `sandbox_id`.  It must have been made by
`brig create --reuse`.  The next rollout begins by `brig start --process`, see docs/reuse.md.
"""
import json
import subprocess
import time
from dataclasses import dataclass, field


@dataclass
class Baseline:
    """Of a parked, clean sandbox; empty: there is none."""

    fingerprint: str = ""
    generation: int = 0


@dataclass
class Outcome:
    clean: bool
    seconds: float
    reason: str = ""  # the first thing that is not as it should be
    detail: dict = field(default_factory=dict)


class BrigReset:
    def __init__(self, brig=("brig",)):
        self.brig = list(brig)

    def _ask(self, timeout, *args):
        """(report, reason): never both."""
        try:
            done = subprocess.run([*self.brig, *args], capture_output=True, timeout=timeout,
                                  check=False)
        except subprocess.TimeoutExpired:
            return None, "timeout"
        except OSError as error:
            return None, f"exec_error: {error}"
        try:
            return json.loads(done.stdout), ""
        except ValueError:
            return None, done.stderr.decode(errors="replace").strip() or "no_report"

    def prime(self, handle, *, timeout=5.0):
        report, _ = self._ask(timeout, "verify", handle.sandbox_id)
        if not report or report.get("clean") is not True:
            return Baseline()
        return Baseline(report["fingerprint"], report["gen"])

    @staticmethod
    def recyclable(baseline):
        return bool(baseline.fingerprint)

    def reset(self, handle, baseline, *, timeout=5.0):
        """Never raises: what cannot be asked is not clean."""
        since = time.monotonic()
        report, reason = self._ask(timeout, "reset", "--kill", handle.sandbox_id)
        if report:
            reason = self._first_failure(report, baseline)
        return Outcome(not reason, round(time.monotonic() - since, 3), reason, report or {})

    @staticmethod
    def _first_failure(report, baseline):
        if not baseline.fingerprint:
            return "no_baseline"
        for check in report.get("checks", []):
            if not check["ok"]:
                return check["name"]
        if report.get("taint"):
            return "taint: " + report["taint"][0]
        if report.get("refused"):
            return report["refused"]
        if report.get("clean") is not True:
            return "not_clean"
        if report.get("gen", 0) <= baseline.generation:
            return "generation_not_new"
        return "" if report.get("fingerprint") == baseline.fingerprint else "fingerprint"
