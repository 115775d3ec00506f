package service

import (
	"context"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// watchGrace is how long a question of a session waits for its owner to begin
// to watch. With nobody there by then, nobody answers.
const watchGrace = 10 * time.Second

// withRoots has the session answer roots/list itself where it knows the roots,
// and leaves the other questions to ask.
func withRoots(t target, ask mcp.Ask) mcp.Ask {
	if t.session == nil {
		return ask
	}
	return func(ctx context.Context, q mcp.Question) (mcp.Answer, error) {
		if q.Method == mcp.MethodRoots && t.session.Roots() != nil {
			return t.session.Ask(ctx, q)
		}
		return ask(ctx, q)
	}
}

// askOwner asks the owner of a session by WatchEvents.
func (s *Service) askOwner(session *pool.Session) mcp.Ask {
	return func(ctx context.Context, q mcp.Question) (mcp.Answer, error) {
		p := party{
			principal: session.Principal, target: sessionPrefix + session.ID, blocks: takesBlocks(session.Info().ProtocolVersion),
		}
		return s.questions.ask(ctx, p, watchers{session}, watchGrace, q)
	}
}

// takesBlocks reports whether servers of a revision take a list of blocks as the
// content of an answer to sampling.
func takesBlocks(version string) bool { return version >= "2025-11-25" }

// watchers are the audience of a session's own questions.
type watchers struct{ session *pool.Session }

func (w watchers) tell(q *question) {
	if w.session.Publish(q, len(q.Params)) > 0 {
		q.show()
	}
}

func (w watchers) untell(over withdrawal) { w.session.Publish(over, 0) }

// An ownerAsk is the Ask of a session that is not open yet. A server may ask as
// soon as the handshake is over, which is before its owner knows the session's
// name; such questions wait for that.
type ownerAsk struct {
	mu sync.Mutex // guards what follows
	// ask is nil until it is settled.
	ask mcp.Ask
	// settled is closed then; nil while no question waits for it.
	settled chan struct{}
}

// settle says who is asked. Only the first call counts.
func (o *ownerAsk) settle(ask mcp.Ask) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ask != nil {
		return
	}
	o.ask = ask
	if o.settled != nil {
		close(o.settled)
		o.settled = nil
	}
}

func (o *ownerAsk) answer(ctx context.Context, q mcp.Question) (mcp.Answer, error) {
	for {
		ask, settled := o.now()
		if ask != nil {
			return ask(ctx, q)
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return mcp.Answer{}, context.Cause(ctx)
		}
	}
}

// now returns who is asked, or what to wait for.
func (o *ownerAsk) now() (ask mcp.Ask, settled <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ask == nil && o.settled == nil {
		o.settled = make(chan struct{})
	}
	return o.ask, o.settled
}

// askFollower asks the caller of a CallToolStream on its stream.
func (s *Service) askFollower(f *follower, t target) mcp.Ask {
	return func(ctx context.Context, q mcp.Question) (mcp.Answer, error) {
		p := party{principal: t.principal, target: t.name, stream: true, blocks: takesBlocks(t.Server().ProtocolVersion())}
		return s.questions.ask(ctx, p, f, watchGrace, q)
	}
}
