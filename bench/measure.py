"""Measures the bridge against its targets. Usage:
measure.py <directory with the programs> [rounds] [seconds] [targets...]"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

from cases import cases
from lab import PORTS, Lab, at, busy_cores, listens
from report import Report
from targets import TARGETS

# What other programs may keep busy, in cores, during a measurement that counts.
QUIET = 0.1


def run(lab, label, case, seconds):
    """One measurement: the row that loadgen prints."""
    for name in ["upstream", *case.needs]:
        lab.pid(name)
    if case.fresh and case.program in lab.running:
        lab.stop(case.program)
    pid = str(lab.pid(case.program)) if case.program else ""
    sent = traced(lab)
    command = [f"{lab.bin}/loadgen", "-label", label, "-pid", pid, "-up", str(lab.pid("upstream")),
               "-ours", lab.sessions(), "-warm", "500ms", "-d", f"{seconds}s", *case.args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean(), timeout=120 + seconds)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-300:] or f"loadgen ended with {done.returncode}")
    row = json.loads(done.stdout)
    if row["errors"]:
        raise RuntimeError(f"{row['errors']} wrong answers: {row.get('first_error')}")
    if case.program == "traced" and traced(lab) == sent:
        raise RuntimeError("the collector has got no traces")
    if case.fresh:
        lab.stop(case.program)
    return row


def clean():
    """The environment without what would configure a bridge."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "MCPBRIDGE_"))}


def traced(lab):
    """The bytes of traces that the collector has got."""
    if "collector" not in lab.running:
        return 0
    with urllib.request.urlopen(f"http://{at('collector')}/") as answer:
        return int(answer.read())


def measure(lab, report, rounds, seconds, targets):
    wanted = {name for target in targets for name in (target.case, target.base, target.floor)}
    todo = {label: case for label, case in cases(lab).items() if label in wanted}
    for n in range(rounds):
        for label, case in todo.items():
            if case.once and n > 0 or report.failed(label):
                continue
            print(f"round {n + 1} of {rounds}: {label}", file=sys.stderr)
            try:
                report.add(label, n, run(lab, label, case, seconds))
            except (RuntimeError, subprocess.TimeoutExpired) as err:
                report.fail(label, str(err))


def main():
    binaries, arguments = sys.argv[1], sys.argv[2:]
    rounds = int(arguments[0]) if arguments else 3
    seconds = float(arguments[1]) if len(arguments) > 1 else 4
    chosen = set(arguments[2:]) or {target.number for target in TARGETS}
    if unknown := chosen - {target.number for target in TARGETS}:
        sys.exit(f"no such target: {', '.join(sorted(unknown))}")
    if taken := [port for first in PORTS.values() for port in (first, first + 1, first + 2) if listens(port)]:
        sys.exit(f"something else listens on {taken}")
    targets = [target for target in TARGETS if target.number in chosen]
    busy = busy_cores()
    if busy > QUIET:
        print(f"other programs keep {busy:.1f} cores busy: figures will be off", file=sys.stderr)
    report = Report(targets, QUIET, " ".join(["bench/run.sh", *arguments]))
    with tempfile.TemporaryDirectory() as directory:
        lab = Lab(binaries, directory)
        try:
            measure(lab, report, rounds, seconds, targets)
        finally:
            lab.close()
    print(report.text())
    if len(targets) == len(TARGETS):
        report.keep(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs", "performance.md"))
    sys.exit(report.missed())


main()
