#!/usr/bin/env bash
# Measures the bridge against a bare pass-through and a bridge over the official
# SDK, in interleaved rounds on one machine, and checks the figures that the
# project promises. Usage: bench/run.sh [rounds] [seconds per measurement]
#
# Everything runs on 127.0.0.1 and is stopped, by pid, when the script ends.
set -euo pipefail

rounds=${1:-3}
seconds=${2:-5}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pids=()
cleanup() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# start NAME COMMAND... starts a program in the background and sets $NAME to its pid.
start() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pids+=($!)
	printf -v "$name" %s $!
}

# await PORT waits until something listens there.
await() {
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.1
	done
	echo "nothing listens on port $1; logs:" >&2
	tail -n 5 "$work"/*.log >&2
	exit 1
}

echo "building..." >&2
(cd "$root" && go build -o "$work/mcpbridge" ./cmd/server)
(cd "$root/bench" && go build -o "$work/" ./...)

cat >"$work/mcp.json" <<JSON
{"mcpServers": {"up": {"url": "http://127.0.0.1:7901/mcp"}}}
JSON
start upstream "$work/upstream" -listen 127.0.0.1:7901
await 7901
start bridge env MCPBRIDGE_ADMIN_PPROF=true "$work/mcpbridge" --mcp-config "$work/mcp.json" \
	--grpc-addr 127.0.0.1:7910 --http-addr 127.0.0.1:7911 --admin-addr 127.0.0.1:7912
start nethttp "$work/passthru" -backend nethttp -url http://127.0.0.1:7901/mcp -listen 127.0.0.1:7920 -rest 127.0.0.1:7921
start gosdk "$work/passthru" -backend gosdk -url http://127.0.0.1:7901/mcp -listen 127.0.0.1:7930 -rest 127.0.0.1:7931
for port in 7910 7911 7920 7921 7930; do await "$port"; done

load() { # LABEL PID ARGUMENTS...
	local label=$1 pid=$2
	shift 2
	"$work/loadgen" -label "$label" -pid "$pid" -up "$upstream" -d "${seconds}s" "$@" >>"$work/rows"
}

tool=http://127.0.0.1:7911/v1/servers/up/tools/echo:call
for round in $(seq "$rounds"); do
	echo "round $round of $rounds..." >&2
	for c in 64 1; do
		load "bridge gRPC" "$bridge" -c "$c" -mode bridge -target 127.0.0.1:7910
		load "nethttp gRPC" "$nethttp" -c "$c" -mode grpc-bytes -target 127.0.0.1:7920
		load "gosdk gRPC" "$gosdk" -c "$c" -mode grpc-bytes -target 127.0.0.1:7930
		load "bridge REST" "$bridge" -c "$c" -mode rest -url "$tool" -body '{"arguments":{"m":"hello world"}}'
		load "nethttp REST" "$nethttp" -c "$c" -mode rest -url http://127.0.0.1:7921/v1/bytes
	done
	load "bridge gRPC, Struct" "$bridge" -c 64 -mode bridge -json-text=false -target 127.0.0.1:7910
	load "bridge gRPC, list of 100" "$bridge" -c 16 -mode bridge-list -target 127.0.0.1:7910
done
"$work/loadgen" -mode bridge-idle -sessions 1000 -target 127.0.0.1:7910 -pid "$bridge" \
	-admin http://127.0.0.1:7912 >"$work/idle"

python3 "$root/bench/report.py" "$work/rows" "$work/idle"
