#!/usr/bin/env bash
# Answers what a tool asks, by two ordinary requests: the answer to the first is
# the question, and the second repeats the call with the answer. Start `make run`
# first.
#
#   examples/curl/answer.sh [yes|no]
set -euo pipefail

bridge=${MCPBRIDGE_URL:-http://127.0.0.1:8080}
confirm=$bridge/v1/servers/demo/tools/confirm:call
# The name and arguments of both requests have to be the same.
call='"arguments": {"question": "Shall we go on?"}, "acceptInputRequired": true'

# text NAME takes a text without escapes out of the JSON on stdin. Where there is
# jq, `jq -r .inputRequired.requestState` is the better way.
text() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

asked=$(curl -sS --fail-with-body "$confirm" -d "{$call}")
state=$(text requestState <<<"$asked")
[[ -n $state ]] || { echo "no question came: $asked" >&2; exit 1; }
echo "the server asks: $(text message <<<"$asked")"

# Questions have keys, since there may be several; the answers go under the same.
# Here there is one, "confirmation", with a form that has one field.
if [[ ${1:-yes} == yes ]]; then
	answer='{"action": "ELICITATION_ACTION_ACCEPT", "content": {"confirmed": true}}'
else
	answer='{"action": "ELICITATION_ACTION_DECLINE"}'
fi
curl -sS --fail-with-body "$confirm" \
	-d "{$call, \"requestState\": \"$state\", \"inputResponses\": {\"confirmation\": {\"elicitation\": $answer}}}"
echo
