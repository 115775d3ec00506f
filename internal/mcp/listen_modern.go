package mcp

import (
	"context"
	"errors"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// modernListening listens on a modern session: there is one subscription for all
// that is wanted.
type modernListening struct {
	session *Session
	// gap and lost are those of [Session.Listen].
	gap, lost func()
	// unwatch ends the watch over the session, nil while there is none.
	unwatch func()
	// current is what is open, nil if nothing is.
	current *keeper
}

func (m *modernListening) set(ctx context.Context, want Filter) (Filter, error) {
	if m.unwatch == nil {
		m.unwatch = m.session.onEnd(m.lost)
	}
	switch {
	case want.Empty():
		m.drop()
		return Filter{}, nil
	case m.current != nil && m.current.want.Equal(want) && !m.current.ended():
		return m.current.granted.Load().clone(), nil
	}
	before := m.current != nil
	if m.session.stream() {
		m.drop()
	}
	next, err := m.open(ctx, want)
	if overLimit(err) && m.current != nil {
		m.drop()
		next, err = m.open(ctx, want)
	}
	if err != nil {
		return Filter{}, err
	}
	if missed := before && m.current == nil; missed {
		m.session.spawn(m.gap)
	}
	m.drop()
	granted := next.granted.Load().clone()
	if granted.Empty() { // of which servers end the subscription, or not
		next.end()
		return granted, nil
	}
	m.current = next
	return granted, nil
}

func (m *modernListening) open(ctx context.Context, want Filter) (*keeper, error) {
	k := m.session.newKeeper(want, m.gap)
	err := k.open(ctx)
	var je *jsonrpc.Error
	if errors.As(err, &je) && je.Code == jsonrpc.CodeMethodNotFound {
		err = &UnsupportedError{What: methodListen, Err: err}
	}
	return k, err
}

func (m *modernListening) close() {
	m.drop()
	if m.unwatch != nil {
		m.unwatch()
		m.unwatch = nil
	}
}

// drop ends the subscription.
func (m *modernListening) drop() {
	if m.current != nil {
		m.current.end()
		m.current = nil
	}
}
