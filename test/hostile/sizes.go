package hostile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

const (
	hugeText  = 12 << 20 // bytes of text in one huge message; over the 10 MiB that the TypeScript SDK takes
	deepLevel = 100_000  // arrays inside each other in one deep message
	chunk     = 64 << 10 // bytes that an endless answer writes at a time
)

// sizeModes attack how much a client takes.
func sizeModes() []mode {
	return []mode{
		{
			Mode: everywhere("huge", fmt.Sprintf("answers calls with %d MiB of text", hugeText>>20)),
			handle: altered(func(m message, _ []byte) []byte {
				return resultTo(m, `"content":[{"type":"text","text":"`+strings.Repeat("x", hugeText)+`"}]`)
			}),
		},
		{
			Mode: everywhere("deep", fmt.Sprintf("answers calls with %d arrays inside each other", deepLevel)),
			handle: altered(func(m message, _ []byte) []byte {
				deep := strings.Repeat("[", deepLevel) + strings.Repeat("]", deepLevel)
				return resultTo(m, `"content":[],"structuredContent":`+deep)
			}),
		},
		{
			Mode: stdioOnly("endless-line", "answers a call with a line that never ends"),
			handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
				s.execute(m)
				endless(func(data []byte) error { return out.raw(data) }, endlessHead(m))
			}),
		},
		{
			Mode: httpOnly("endless-event", "answers a call with an event that never ends"),
			handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
				s.execute(m)
				endless(func(data []byte) error { return out.raw(data) }, "data: "+endlessHead(m))
			}),
		},
		{
			Mode: httpOnly("endless-json", "answers a call with a JSON body that never ends"),
			httpMode: httpMode{post: executing(func(_ *handlerHTTP, w http.ResponseWriter, _ *http.Request, m message) {
				w.Header().Set("Content-Type", "application/json")
				endless(func(data []byte) error { _, err := w.Write(data); return err }, endlessHead(m))
			})},
		},
	}
}

// endlessHead is how the honest response to a call begins.
func endlessHead(m message) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"`, m.ID)
}

// endless writes the head and then letters until a write fails.
func endless(write func([]byte) error, head string) {
	err := write([]byte(head))
	letters := []byte(strings.Repeat("x", chunk))
	for err == nil {
		err = write(letters)
	}
}

// executing returns a post function that runs the tool of a call and gives it
// an HTTP answer of its own. The rest is honest, and so is a call in no session.
func executing(
	answer func(*handlerHTTP, http.ResponseWriter, *http.Request, message),
) func(*handlerHTTP, http.ResponseWriter, *http.Request, message) bool {
	return func(h *handlerHTTP, w http.ResponseWriter, r *http.Request, m message) bool {
		if m.Method != "tools/call" {
			return false
		}
		if !h.admit(w, m) {
			return true
		}
		h.server.execute(m)
		answer(h, w, r, m)
		return true
	}
}
