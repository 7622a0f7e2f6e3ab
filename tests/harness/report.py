# SPDX-License-Identifier: Apache-2.0
"""Scenarios and how they are reported: a scenario is a function whose docstring is the claim."""
import os
import sys
import time
import traceback


class Failed(Exception):
    """The claim does not hold."""


class Skipped(Exception):
    """The claim cannot be tried on this machine."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def check_equal(got, want, what):
    check(got == want, f"{what}: {got!r}, not {want!r}")


def wait_for(what, condition, timeout_s, step_s=0.1):
    """Waits until condition() is true; how long that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout_s:
            raise Failed(f"{what}: not within {timeout_s:g} s")
        time.sleep(step_s)
    return time.monotonic() - start


def run(scenarios, seed):
    """Runs (function, arguments) pairs; the exit code of the suite."""
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    failed_names = []
    suite_start = time.monotonic()
    print(f"seed {seed}  (SEED={seed} repeats the run)", flush=True)
    for function, arguments in scenarios:
        start = time.monotonic()
        word, why = "PASS", ""
        try:
            note = function(*arguments)
            why = f" ({note})" if note else ""
        except Skipped as skipped:
            word, why = "SKIP", f": {skipped}"
        except Failed as failed:
            word, why = "FAIL", f": {failed}"
        except Exception:
            word, why = "FAIL", ":\n" + traceback.format_exc()
        counts[word] += 1
        if word == "FAIL":
            failed_names.append(function.__name__)
        claim = function.__doc__.strip().splitlines()[0]
        print(f"{word} {function.__name__} [{time.monotonic() - start:.1f} s] {claim}{why}",
              flush=True)
    print(f"{time.monotonic() - suite_start:.0f} s, seed {seed}")
    skipped = f", {counts['SKIP']} skipped" if counts["SKIP"] else ""
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed{skipped}", flush=True)
    if failed_names:
        print(f"again: SEED={seed} {os.path.relpath(sys.argv[0])} {' '.join(failed_names)}", flush=True)
    return 1 if counts["FAIL"] else 0


def seed_of_environment():
    text = os.environ.get("SEED", "")
    return int(text) if text else int.from_bytes(os.urandom(3), "big")


def note(text):
    print(f"     {text}", file=sys.stderr, flush=True)
