#!/usr/bin/env bash
# A tour of the gRPC API on the built-in demo server, by reflection: no .proto
# file is needed. Start `make run` first; grpcurl is at
# https://github.com/fullstorydev/grpcurl.
set -euo pipefail

bridge=${MCPBRIDGE_GRPC:-127.0.0.1:9090}
service=mcpbridge.v1.McpService

say() { printf '\n# %s\n' "$1"; }

say "What is served?"
grpcurl -plaintext "$bridge" list

say "What tools are there?"
grpcurl -plaintext -d '{"target": "servers/demo"}' "$bridge" "$service/ListTools"

say "Call one."
grpcurl -plaintext -d '{"target": "servers/demo", "name": "echo", "arguments": {"message": "hello"}}' \
	"$bridge" "$service/CallTool"

say "Exact JSON in and out: no number goes through a double."
grpcurl -plaintext -d '{"target": "servers/demo", "name": "text_stats", "json_format": "JSON_FORMAT_TEXT",
	"arguments_json": "{\"text\": \"one two three\"}"}' "$bridge" "$service/CallTool"

say "Call one and follow its progress."
grpcurl -plaintext -d '{"target": "servers/demo", "name": "count_down", "arguments": {"steps": 3, "interval_ms": 300}}' \
	"$bridge" "$service/CallToolStream"

say "Is the server well?"
grpcurl -plaintext -d '{"service": "servers/demo"}' "$bridge" grpc.health.v1.Health/Check
