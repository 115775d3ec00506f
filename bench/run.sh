#!/usr/bin/env bash
# Measures the bridge against its speed targets, on one machine, in interleaved
# rounds. Usage:
#
#   bench/run.sh [rounds] [seconds per measurement] [targets...]
#
# for example "bench/run.sh 3 4" for the whole table, about ten minutes, or
# "bench/run.sh 3 2 1 5" for the first and the fifth target. The whole table,
# measured on a quiet machine, is kept in docs/performance.md.
#
# Everything runs on 127.0.0.1 and is stopped when the script ends.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT

echo "building..." >&2
(cd "$root" && go build -o "$bin/mcpbridge" ./cmd/server)
(cd "$root/bench" && go build -o "$bin/" ./...)
python3 -B "$root/bench/measure.py" "$bin" "$@"
