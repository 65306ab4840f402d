"""How does a case run, wait and say what it saw?"""

import fnmatch
import os
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

# Bounds every wait. It covers two rounds of the client's slowest timer, the heartbeat of 30 s.
PATIENCE_S = 70
# How often a condition is looked at while waiting for it.
LOOK_EVERY_S = 0.02
# Bounds a case: the library's calls themselves may never come back.
CASE_BOUND_S = 240
# How many cases run side by side: they wait far more than they work.
AT_ONCE = 6

RUN = os.environ.get("COMPAT_RUN") or "%x" % int(time.time() * 1000)

# What is running: roxmq or java.
TARGET = os.environ.get("COMPAT_TARGET")


class Unexpected(Exception):
    """Something other than what was expected; the text says both."""


class Case:
    """What a case may use: names of its own, checks, and a list of what to close when it ends."""

    def __init__(self, name):
        self.name = name
        self.endings = []

    @property
    def topic(self):
        return f"compat-python-{RUN}-{self.name}"

    @property
    def group(self):
        return f"compat-python-{RUN}-g-{self.name}"

    def check(self, holds, what):
        if not holds:
            raise Unexpected(what)

    def equal(self, got, expected, what):
        self.check(got == expected, f"{what}: got {got!r}, expected {expected!r}")

    def same_order(self, got, expected, what):
        self.check(got == expected, f"{what}: got {brief(got)}, expected {brief(expected)}")

    def same_bodies(self, got, expected, what):
        self.same_order(sorted(got), sorted(expected), what)

    def until(self, holds, what, seen):
        """Waits for a condition; `seen` is asked for what there was instead when patience ends."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            self.check(time.monotonic() < deadline, f"not seen within {PATIENCE_S} s: {what}; seen: {seen()}")
            time.sleep(LOOK_EVERY_S)

    def restart_broker(self):
        """Comes back when the broker serves again."""
        self.control("restart-broker")

    def control(self, *words):
        """What the control program says when it is done."""
        program = os.environ.get("COMPAT_CONTROL")
        self.check(program, f"COMPAT_CONTROL is not set: no {words[0]}")
        return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def brief(texts):
    shown = texts if len(texts) <= 12 else [*texts[:6], "...", *texts[-6:]]
    return f"{len(texts)}: {shown}"


def outcome(name, body):
    """None when the case passed, otherwise why not, in one line."""
    case = Case(name)
    try:
        body(case)
        return None
    except Unexpected as why:
        return " / ".join(str(why).splitlines())
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return " / ".join(f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})".splitlines())
    finally:
        for ending in reversed(case.endings):
            try:
                ending()
            except Exception as error:
                print(f"closing after {name}: {error}")


def run_suite(side_by_side, alone, in_cluster, later):
    """Every case has a process of its own: the library shares clients within one, and may take it down."""
    if sys.argv[1:2] == ["--case"]:
        run_case(sys.argv[2], {**side_by_side, **alone, **in_cluster}[sys.argv[2]])
    if sys.argv[-1] == "cluster":
        del sys.argv[-1]
        side_by_side, alone = {}, in_cluster
    pool = ThreadPoolExecutor(AT_ONCE)
    running = [pool.submit(in_own_process, name) for name in wanted(side_by_side, later)]
    passed = [each.result() for each in running] + [in_own_process(name) for name in wanted(alone, later)]
    print(f"{passed.count(True)} passed, {passed.count(False)} failed", flush=True)
    sys.exit(0 if passed and all(passed) else 1)


def run_case(name, body):
    began = time.monotonic()
    why = outcome(name, body)
    print(f"PASS {name} ({time.monotonic() - began:.1f} s)" if why is None else f"FAIL {name}: {why}", flush=True)
    # The library's own threads may still run; nothing is left to wait for.
    os._exit(0 if why is None else 1)


def in_own_process(name):
    """Prints what the process of a case prints. Did the case pass?"""
    environment = {**os.environ, "COMPAT_RUN": RUN}
    try:
        run = subprocess.run(
            [sys.executable, sys.argv[0], "--case", name], env=environment, capture_output=True, text=True, timeout=CASE_BOUND_S
        )
    except subprocess.TimeoutExpired:
        print(f"FAIL {name}: still running after {CASE_BOUND_S} s", flush=True)
        return False
    if run.returncode < 0:
        print(f"FAIL {name}: the client's process died of {signal.Signals(-run.returncode).name}", flush=True)
        return False
    if f" {name}" not in run.stdout:
        print(f"FAIL {name}: ended with status {run.returncode}: {' / '.join(run.stderr.splitlines()[-3:])}", flush=True)
        return False
    print(run.stdout, end="", flush=True)
    return run.returncode == 0


def wanted(cases, later):
    """The cases named on the command line (shell patterns), all of them without names; those of `later` are put off."""
    patterns = sys.argv[1:] or ["*"]
    kept = []
    for name in cases:
        if not any(fnmatch.fnmatch(name, p) for p in patterns):
            continue
        if name in later and TARGET == "roxmq":
            print(f"LATER {name}: {later[name]}", flush=True)
        else:
            kept.append(name)
    return kept
