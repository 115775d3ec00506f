package hostile

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// streamModes answer a legacy call somewhere else than on its own event stream.
func streamModes() []mode {
	return []mode{
		resumable("stream-resume", "runs a call, ends its stream after an event id, and answers on the stream that resumes it",
			resumption{breaks: 1, retry: 20}),
		resumable("stream-resume-twice", "runs a call and answers on the second stream that resumes its own",
			resumption{breaks: 2, retry: 20}),
		resumable("retry-storm", "runs a call and ends every stream that resumes it, asking for the next after 1 ms",
			resumption{breaks: never, retry: 1}),
		resumable("retry-huge", "runs a call and asks to resume its stream in some centuries",
			resumption{breaks: 1, retry: 9_999_999_999_999}),
		resumable("stream-lost", "runs a call, ends its stream after an event id, and has forgotten the session when that is resumed",
			resumption{breaks: never, retry: 20, forgets: true}),
		answerOnGet(),
	}
}

// never is a number of breaks after which an answer never comes.
const never = 1 << 30

// resumption is how a stream is broken off.
type resumption struct {
	breaks  int   // streams that end early, the call's own included
	retry   int64 // milliseconds that the client is told to wait
	forgets bool  // a stream that is resumed is answered with 404
}

// resumable returns a mode whose streams are to be resumed with Last-Event-ID
// (spec 2025-11-25, basic/transports#resumability-and-redelivery).
func resumable(name, about string, how resumption) mode {
	broken := &brokenStreams{how: how, streams: make(map[string]brokenStream)}
	return mode{
		Mode: httpOnly(name, about),
		era:  Legacy,
		handle: onCall(func(_ context.Context, s *server, m message, out outlet) {
			broken.send(out.raw, brokenStream{answer: s.reply(m)})
		}),
		httpMode: httpMode{get: func(_ *handlerHTTP, w http.ResponseWriter, r *http.Request) {
			stream, ok := broken.take(r.Header.Get("Last-Event-ID"))
			if !ok {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			if how.forgets {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			beginEvents(w)
			broken.send(func(data []byte) error { _, err := flushing{w}.Write(data); return err }, stream)
		}},
	}
}

// brokenStream is what is left to do on a stream that was broken off.
type brokenStream struct {
	breaks int // so far
	answer []byte
}

type brokenStreams struct {
	how resumption

	mu      sync.Mutex // guards the fields below
	last    int        // number of event ids given
	streams map[string]brokenStream
}

// send ends a stream: with its answer, or with an event id to resume it by.
func (b *brokenStreams) send(write func([]byte) error, stream brokenStream) {
	if stream.breaks >= b.how.breaks {
		_ = write(event("", string(stream.answer)))
		return
	}
	stream.breaks++
	_ = write(fmt.Appendf(nil, "id: %s\nretry: %d\ndata: \n\n", b.keep(stream), b.how.retry))
}

func (b *brokenStreams) keep(stream brokenStream) (eventID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	eventID = fmt.Sprintf("event-%d", b.last)
	b.streams[eventID] = stream
	return eventID
}

func (b *brokenStreams) take(eventID string) (brokenStream, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stream, ok := b.streams[eventID]
	delete(b.streams, eventID)
	return stream, ok
}

// answerOnGet returns a mode that needs the client to have a GET stream open.
func answerOnGet() mode {
	answers := make(chan []byte)
	return mode{
		Mode: httpOnly("answer-on-get", "runs a call and answers it on the session's GET stream"),
		era:  Legacy,
		handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
			_ = out.raw([]byte{})
			select {
			case answers <- s.reply(m):
			case <-ctx.Done():
			}
		}),
		httpMode: httpMode{get: func(_ *handlerHTTP, w http.ResponseWriter, r *http.Request) {
			beginEvents(w)
			for {
				select {
				case answer := <-answers:
					_, _ = flushing{w}.Write(event("", string(answer)))
				case <-r.Context().Done():
					return
				}
			}
		}},
	}
}
