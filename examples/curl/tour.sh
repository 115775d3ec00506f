#!/usr/bin/env bash
# A tour of the REST API on the built-in demo server. Start `make run` first.
set -euo pipefail

bridge=${MCPBRIDGE_URL:-http://127.0.0.1:8080}
demo=$bridge/v1/servers/demo

say() { printf '\n\n# %s\n' "$1"; }

say "What servers are there?"
curl -sS "$bridge/v1/servers"

say "What tools has this one? (one page; ?all=true follows the pages)"
curl -sS "$demo/tools"

say "Call one."
curl -sS "$demo/tools/calculate:call" -d '{"arguments": {"operation": "divide", "a": 355, "b": 113}}'

say "Call one and follow its progress, as lines of JSON."
curl -sSN "$demo/tools/count_down:stream" -d '{"arguments": {"steps": 3, "interval_ms": 300}}'

say "The same as Server-Sent Events."
curl -sSN "$demo/tools/count_down:stream" -H 'Accept: text/event-stream' \
	-d '{"arguments": {"steps": 3, "interval_ms": 300}}'

say "Read a resource."
curl -sSG "$demo/resources:read" --data-urlencode 'uri=demo://time/Asia/Tokyo'

say "Fill in a prompt."
curl -sS "$demo/prompts/summarize:get" -d '{"arguments": {"text": "The quick brown fox."}}'

say "A tool that fails is no error: isError is true, the status 200."
curl -sS "$demo/tools/calculate:call" -d '{"arguments": {"operation": "divide", "a": 1, "b": 0}}'

say "Errors say why, and how far the call came."
curl -sSi "$bridge/v1/servers/nobody/tools"

say "A session of one's own, for servers that keep state: open, use, close."
session=$(curl -sS "$bridge/v1/sessions" -d '{"server": "servers/demo"}' | grep -o 'sessions/[0-9a-f]*' | head -n 1)
curl -sS "$bridge/v1/$session/tools/now:call" -d '{"arguments": {"timezone": "Europe/Oslo"}}'
echo
curl -sS -X DELETE "$bridge/v1/$session"
echo
