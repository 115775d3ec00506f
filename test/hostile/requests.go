package hostile

import (
	"context"
	"fmt"
	"sync"
)

// VisitedID is what the mode page-visited tells of.
const VisitedID = "visit-1"

// requestModes attack how a client takes what a server asks and announces.
func requestModes() []mode {
	return []mode{
		{
			Mode:   everywhere("odd-request-ids", "answers a call only once its pings with odd ids came back, ids unchanged"),
			era:    Legacy,
			handle: oddRequestIDs(),
		},
		{
			Mode: everywhere("unknown-requests", "sends a request of an unknown method before it answers a call"),
			era:  Legacy,
			handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
				_ = out.send(request(`"unknown"`, "hostile/unknown"))
				honest(ctx, s, m, out)
			}),
		},
		{
			Mode: everywhere("page-visited", "tells, before it answers a call, that a page was visited for which it had asked nobody"),
			handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
				_ = out.send(notification("notifications/elicitation/complete", `"elicitationId":"`+VisitedID+`"`))
				honest(ctx, s, m, out)
			}),
		},
		{
			Mode: everywhere("modern-requests", "sends a request before it answers a call, which 2026-07-28 forbids"),
			era:  Modern,
			handle: onCall(func(ctx context.Context, s *server, m message, out outlet) {
				_ = out.send(request("1", "ping"))
				honest(ctx, s, m, out)
			}),
		},
		{
			Mode:   everywhere("endless-input", "asks for further input, however often it was given"),
			era:    Modern,
			handle: onCall(askAgain),
		},
		{
			Mode: httpOnly("listen-closed", "ends each subscription as soon as it has been acknowledged"),
			era:  Modern,
			handle: on("subscriptions/listen", func(_ context.Context, _ *server, m message, out outlet) {
				_ = out.send(acknowledgement(m))
			}),
		},
	}
}

// askAgain executes nothing. The request state counts the rounds.
func askAgain(_ context.Context, _ *server, m message, out outlet) {
	_ = out.send(response(string(m.ID), fmt.Sprintf(`"result":{"resultType":"input_required",`+
		`"inputRequests":{"more":{"method":"elicitation/create","params":{"mode":"form","message":"More?",`+
		`"requestedSchema":{"type":"object","properties":{"more":{"type":"string"}}}}}},`+
		`"requestState":%s}`, quote(m.Params.RequestState+"+"))))
}

// oddIDs are ids that JSON-RPC allows and that a client must return unchanged.
func oddIDs() []string {
	return []string{`0`, `-1`, `9007199254740993`, `"a b"`, `"7"`, `"\u00e9"`}
}

// oddRequestIDs holds a call back until every ping that it sent for it has been
// answered. It counts for one call at a time.
func oddRequestIDs() handler {
	pings := &pings{missing: make(map[string]bool)}
	return func(ctx context.Context, s *server, m message, out outlet) {
		switch {
		case m.isResponse():
			pings.answer(string(m.ID))
		case m.Method == "tools/call":
			answered := pings.expect(oddIDs())
			for _, id := range oddIDs() {
				_ = out.send(request(id, "ping"))
			}
			select {
			case <-answered:
				honest(ctx, s, m, out)
			case <-ctx.Done():
			}
		default:
			honest(ctx, s, m, out)
		}
	}
}

// pings are the requests of a server that have not been answered.
type pings struct {
	mu      sync.Mutex // guards the fields below
	missing map[string]bool
	done    chan struct{} // closed when none is missing
}

func (p *pings) expect(ids []string) (done <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.missing[id] = true
	}
	p.done = make(chan struct{})
	return p.done
}

func (p *pings) answer(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.missing[id] {
		return
	}
	delete(p.missing, id)
	if len(p.missing) == 0 {
		close(p.done)
	}
}
