package hostile

import (
	"context"
	"fmt"
)

// shapeModes answer with JSON that is not the JSON-RPC or the MCP one expects.
func shapeModes() []mode {
	return []mode{
		{
			Mode: everywhere("empty-results", "answers every request with an empty result"),
			handle: func(_ context.Context, _ *server, m message, out outlet) {
				if m.isRequest() {
					_ = out.send(response(string(m.ID), `"result":{}`))
				}
			},
		},
		{
			Mode: everywhere("null-result", "answers calls with the result null"),
			handle: altered(func(m message, _ []byte) []byte {
				return response(string(m.ID), `"result":null`)
			}),
		},
		{
			Mode: everywhere("null-error", "answers calls with a result and with the error null"),
			handle: altered(func(m message, _ []byte) []byte {
				return response(string(m.ID), `"error":null,"result":{`+callFields(m)+`}`)
			}),
		},
		{
			Mode: everywhere("result-and-error", "answers calls with both a result and an error"),
			handle: altered(func(m message, _ []byte) []byte {
				return response(string(m.ID), `"result":{`+callFields(m)+`},`+errorMember(-32603, "Internal error"))
			}),
		},
		{
			Mode: everywhere("text-code", "answers calls with an error whose code is text"),
			handle: altered(func(m message, _ []byte) []byte {
				return response(string(m.ID), `"error":{"code":"E_BROKEN","message":"Broken"}`)
			}),
		},
		{
			Mode: everywhere("unknown-result-type", `answers calls with resultType "surprise"`),
			era:  Modern,
			handle: altered(func(m message, _ []byte) []byte {
				return response(string(m.ID), `"result":{"resultType":"surprise",`+callFields(m)+`}`)
			}),
		},
		{
			Mode: everywhere("unknown-content", "answers calls with content of an unknown type"),
			handle: altered(func(m message, _ []byte) []byte {
				return resultTo(m, `"content":[{"type":"hologram","beams":18446744073709551615}]`)
			}),
		},
		{
			Mode: everywhere("duplicate-keys", "answers calls with the text twice, the honest one last"),
			handle: altered(func(m message, _ []byte) []byte {
				nonce := quote(m.Params.Arguments.Nonce)
				return resultTo(m, `"content":[{"type":"text","text":"wrong","text":`+nonce+`}]`)
			}),
		},
		{
			Mode: everywhere("batch", "answers calls with an array of one response"),
			handle: altered(func(_ message, reply []byte) []byte {
				return fmt.Appendf(nil, "[%s]", reply)
			}),
		},
		{
			Mode: everywhere("mixed-batch", "answers calls with an array of a ping, progress and the response"),
			era:  Legacy,
			handle: altered(func(_ message, reply []byte) []byte {
				progress := notification("notifications/progress", `"progressToken":"nobody","progress":1`)
				return fmt.Appendf(nil, "[%s,%s,%s]", request(`"batched"`, "ping"), progress, reply)
			}),
		},
		{
			Mode: everywhere("not-json", "answers calls with JSON that is cut off"),
			handle: altered(func(_ message, reply []byte) []byte {
				return reply[:len(reply)-3]
			}),
		},
	}
}
