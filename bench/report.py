"""Turns the rows of loadgen into a table of medians, and checks the promises."""

import json
import os
import statistics
import sys

rows = {}
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        row = json.loads(line)
        rows.setdefault((row["label"], row["c"]), []).append(row)


def median(label, c, key):
    return statistics.median(row[key] for row in rows[label, c])


def cpu(label, c):
    """Microseconds of CPU that the middle takes for a call."""
    return median(label, c, "mid_cpu_s_per_1k") * 1000


with open("/proc/cpuinfo", encoding="utf-8") as info:
    model = next((l.split(":")[1].strip() for l in info if l.startswith("model name")), "unknown CPU")
busy = max(row["other_cores"] for group in rows.values() for row in group)
errors = sum(row["errors"] for group in rows.values() for row in group)
print(f"{os.cpu_count()} cores, {model}; at most {busy:.2f} cores busy with other things; {errors} errors\n")
print("| what | callers | calls/s | p50 µs | p99 µs | CPU µs per call | RSS MiB |")
print("|---|---|---|---|---|---|---|")
for label, c in rows:
    print(
        f"| {label} | {c} | {median(label, c, 'rate'):,.0f} | {median(label, c, 'p50_us'):,.0f} "
        f"| {median(label, c, 'p99_us'):,.0f} | {cpu(label, c):.0f} | {median(label, c, 'mid_rss_mib'):.0f} |"
    )

with open(sys.argv[2], encoding="utf-8") as file:
    idle = json.load(file)
print(f"\nAt rest {idle['rss_kib'] / 1024:.0f} MiB resident. {idle['sessions']} idle sessions: "
      f"{idle['live_kib_each']:.1f} KiB and {idle['goroutines_each']:.1f} goroutines each, "
      f"{idle['open_us_each']:.0f} µs to open one.\n")

checks = [
    ("gRPC CallTool, CPU against nethttp", cpu("bridge gRPC", 64) / cpu("nethttp gRPC", 64), 1.5),
    ("REST CallTool, CPU against nethttp", cpu("bridge REST", 64) / cpu("nethttp REST", 64), 2.5),
]
failed = errors > 0
for what, ratio, limit in checks:
    verdict = "ok" if ratio <= limit else "TOO MUCH"
    failed = failed or ratio > limit
    print(f"{what}: {ratio:.2f}x, at most {limit}x: {verdict}")
print(f"gRPC CallTool, rate against gosdk: {median('bridge gRPC', 64, 'rate') / median('gosdk gRPC', 64, 'rate'):.2f}x")
sys.exit(failed)
