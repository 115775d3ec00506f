package hostile

import (
	"context"
	"strings"
	"sync"
)

// idModes attack how a client matches responses with requests.
func idModes() []mode {
	return []mode{
		{
			Mode:   stdioOnly("out-of-order", "answers calls in pairs, the second one first"),
			handle: inReversedPairs(),
		},
		{
			Mode: everywhere("duplicate-replies", "answers each call twice"),
			handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
				reply := s.reply(m)
				_ = out.send(reply)
				_ = out.send(reply)
			}),
		},
		{
			Mode: everywhere("wrong-ids", "answers each call with the id of no request, and never otherwise"),
			handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
				_ = out.send(withID(s.reply(m), m, string(m.ID)+"000001"))
				out.hang(ctx)
			}),
		},
		{
			Mode: everywhere("null-id-error", "answers each call, unexecuted, with an error whose id is null"),
			handle: onCall(func(_ context.Context, _ *server, _ message, out outlet) {
				_ = out.send(response("null", errorMember(-32603, "Who asked?")))
			}),
		},
		{
			Mode:   everywhere("string-ids", "answers every request with its id turned into a string"),
			handle: withEveryID(func(id string) string { return `"` + id + `"` }),
		},
		{
			Mode:   everywhere("float-ids", "answers every request with its id turned into 7.0"),
			handle: withEveryID(func(id string) string { return id + ".0" }),
		},
	}
}

func withEveryID(change func(id string) string) handler {
	return func(_ context.Context, s *server, m message, out outlet) {
		if m.isRequest() {
			_ = out.send(withID(s.reply(m), m, change(string(m.ID))))
		}
	}
}

// withID returns a reply to m with another id, given as JSON.
func withID(reply []byte, m message, id string) []byte {
	return []byte(strings.Replace(string(reply), `"id":`+string(m.ID), `"id":`+id, 1))
}

func inReversedPairs() handler {
	var mu sync.Mutex
	var first []byte
	return onCall(func(_ context.Context, s *server, m message, out outlet) {
		mu.Lock()
		defer mu.Unlock()
		reply := s.reply(m)
		if first == nil {
			first = reply
			return
		}
		_ = out.send(reply)
		_ = out.send(first)
		first = nil
	})
}
