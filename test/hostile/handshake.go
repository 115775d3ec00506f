package hostile

import (
	"context"
	"net/http"
	"os"
	"sync"
)

// handshakeModes attack how a client finds the era and the version.
func handshakeModes() []mode {
	return []mode{
		{
			Mode:   everywhere("silent-discover", "never answers server/discover; initialize works"),
			handle: on("server/discover", unanswered),
		},
		{
			Mode:   stdioOnly("exit-discover", "exits on server/discover; initialize works in a new process"),
			era:    Legacy,
			handle: on("server/discover", func(context.Context, *server, message, outlet) { os.Exit(1) }),
		},
		{
			Mode:   stdioOnly("late-discover", "answers server/discover with an error, but only after initialize"),
			era:    Legacy,
			handle: lateDiscover(false),
		},
		{
			Mode:   stdioOnly("late-discover-result", "answers server/discover only on initialize, just before it"),
			handle: lateDiscover(true),
		},
		{
			Mode: everywhere("empty-discover", "answers server/discover with an empty result; initialize works"),
			handle: on("server/discover", func(_ context.Context, _ *server, m message, out outlet) {
				_ = out.send(response(string(m.ID), `"result":{}`))
			}),
		},
		{
			Mode:    everywhere("future", "discovers to versions from 2099-01-01 on only"),
			era:     Modern,
			version: "2099-01-01",
		},
		{
			Mode:    everywhere("future-error", "answers server/discover with the error that it speaks 2099-01-01 only"),
			era:     Modern,
			version: "2099-01-01",
			handle: on("server/discover", func(_ context.Context, s *server, m message, out outlet) {
				_ = out.send(s.unsupportedVersion(m, m.Params.Meta.ProtocolVersion))
			}),
		},
		{
			Mode: httpOnly("discover-503", "answers server/discover with 503; initialize works"),
			httpMode: httpMode{post: onPost("server/discover", func(w http.ResponseWriter) {
				http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			})},
		},
		{
			Mode: httpOnly("discover-401", "answers server/discover with 401; initialize works"),
			httpMode: httpMode{post: onPost("server/discover", func(w http.ResponseWriter) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="hostile"`)
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
			})},
		},
		answersVersion("2024-11-05"),
		answersVersion("2025-03-26"),
		answersVersion("2025-06-18"),
		answersVersion("2099-01-01"),
	}
}

func answersVersion(version string) mode {
	return mode{
		Mode:    everywhere("version-"+version, "answers initialize with "+version+", whatever was asked"),
		era:     Legacy,
		version: version,
	}
}

// unanswered leaves a message without an answer.
func unanswered(ctx context.Context, _ *server, _ message, out outlet) { out.hang(ctx) }

// lateDiscover keeps the first server/discover waiting until initialize has come.
// Its own answer goes out before the other one if first is set, after it if not.
func lateDiscover(first bool) handler {
	var mu sync.Mutex
	var waiting []message
	var answered bool
	return func(ctx context.Context, s *server, m message, out outlet) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case m.Method == "server/discover" && !answered:
			waiting = append(waiting, m)
		case m.Method == "initialize" && !answered:
			answered = true
			if first {
				answerAll(s, out, append(waiting, m))
			} else {
				answerAll(s, out, append([]message{m}, waiting...))
			}
		default:
			honest(ctx, s, m, out)
		}
	}
}

func answerAll(s *server, out outlet, messages []message) {
	for _, m := range messages {
		_ = out.send(s.reply(m))
	}
}

// onPost returns a post function that gives one method an HTTP answer of its own.
func onPost(
	method string, answer func(w http.ResponseWriter),
) func(*handlerHTTP, http.ResponseWriter, *http.Request, message) bool {
	return func(_ *handlerHTTP, w http.ResponseWriter, _ *http.Request, m message) bool {
		if m.Method != method {
			return false
		}
		answer(w)
		return true
	}
}
