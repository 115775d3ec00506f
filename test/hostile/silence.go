package hostile

import (
	"context"
	"net/http"
)

// silenceModes run the tool and keep the outcome to themselves.
func silenceModes() []mode {
	return []mode{
		{
			Mode:   everywhere("silent-call", "runs a call and never answers it"),
			handle: onCall(runInSilence(nil)),
		},
		{
			Mode:   httpOnly("silent-stream", "runs a call, begins an event stream for it and leaves that empty"),
			handle: onCall(runInSilence([]byte{})),
		},
		{
			Mode: httpOnly("stream-closed", "runs a call and ends its event stream without an answer or an event id"),
			handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
				s.execute(m)
				_ = out.raw([]byte{})
			}),
		},
		{
			Mode: httpOnly("empty-body", "runs a call and answers it with 200 and nothing else"),
			httpMode: httpMode{post: executing(func(_ *handlerHTTP, w http.ResponseWriter, _ *http.Request, _ message) {
				w.Header().Set("Content-Type", "application/json")
			})},
		},
	}
}

// runInSilence sends no more than the given beginning, if that is not nil, and
// records when the client gives up.
func runInSilence(beginning []byte) handler {
	return func(ctx context.Context, s *server, m message, out outlet) {
		s.execute(m)
		if beginning != nil {
			_ = out.raw(beginning)
		}
		<-ctx.Done()
		s.journal.write(Entry{Event: Cancelled, Nonce: m.Params.Arguments.Nonce})
	}
}
