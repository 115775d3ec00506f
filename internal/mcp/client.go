package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Client opens sessions with one server. It remembers what it has learnt of
// the server's era. Its methods may be called concurrently.
type Client struct {
	dialer transport.Dialer
	opts   Options
	inst   *instruments
	// legacyUntil is until when, in Unix nanoseconds, the server is taken for a
	// legacy one without a probe.
	legacyUntil *atomic.Int64
}

// legacyMemory bounds how long a server is believed to be legacy: one that was
// upgraded still answers initialize, and would never be found out.
const legacyMemory = time.Hour

// NewClient returns a client of the server that d reaches.
func NewClient(d transport.Dialer, o Options) *Client {
	o = o.WithDefaults()
	return &Client{dialer: d, opts: o, inst: newInstruments(o), legacyUntil: new(atomic.Int64)}
}

// As returns a client of the same server that introduces itself differently.
func (c *Client) As(info Implementation) *Client {
	as := *c
	as.opts.ClientInfo = info
	return &as
}

// Peer describes the server's end.
func (c *Client) Peer() transport.Peer { return c.dialer.Peer() }

// Connect opens a session. It finds out the server's era with server/discover,
// unless the protocol is pinned or the server is known for a legacy one, and
// falls back as the specification's compatibility matrix says (spec
// 2026-07-28, basic/versioning). ctx bounds the opening, not the session's life.
//
// Its errors are [*transport.Error] where the server could not be reached or
// said nothing of its era, and [*IncompatibleError] otherwise.
func (c *Client) Connect(ctx context.Context) (*Session, error) {
	remembered := c.opts.Protocol == "" && time.Now().UnixNano() < c.legacyUntil.Load()
	s, err := c.connect(ctx, remembered)
	var mismatch *IncompatibleError
	if remembered && errors.As(err, &mismatch) {
		c.legacyUntil.Store(0)
		s, err = c.connect(ctx, false)
	}
	if err == nil && s.info.Era == EraLegacy {
		c.legacyUntil.Store(time.Now().Add(legacyMemory).UnixNano())
	}
	return s, err
}

func (c *Client) connect(ctx context.Context, knownLegacy bool) (*Session, error) {
	// What is still asked when the handshake is over is not waited for.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	v := c.plan(ctx, s, knownLegacy)
	if v.step == stepRespawn {
		c.discard(s)
		if s, err = c.dial(ctx); err != nil {
			return nil, err
		}
	}
	if err = c.finish(ctx, s, v); err != nil {
		c.discard(s)
		return nil, err
	}
	return s, nil
}

// dial opens a transport, and a session around it that has no era yet.
func (c *Client) dial(ctx context.Context) (*Session, error) {
	s := &Session{opts: &c.opts, inst: c.inst, peer: c.dialer.Peer(), dialled: make(chan struct{})}
	s.current.Store(noEra())
	tr, err := c.dialer.Dial(ctx, s.receive)
	if err == nil {
		s.tr = tr
	}
	close(s.dialled)
	return s, err
}

// discard closes a session that is not to be used.
func (c *Client) discard(s *Session) {
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.InitializeTimeout)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		c.opts.Logger.Debug("close after a failed handshake", "error", err)
	}
}

// plan returns the verdict on the server: pinned, remembered or probed.
func (c *Client) plan(ctx context.Context, s *Session, knownLegacy bool) verdict {
	pin := c.opts.Protocol
	switch {
	case slices.Contains(legacyVersions, pin):
		return verdict{step: stepLegacy, version: pin}
	case pin != "" && !slices.Contains(modernVersions, pin):
		return failed(&IncompatibleError{Problem: fmt.Sprintf("the protocol is pinned to %q, which this client does not speak", pin)})
	case knownLegacy:
		return toLegacy()
	}
	v := s.probe(ctx)
	if pin != "" && v.step != stepModern && v.step != stepFail {
		return failed(&IncompatibleError{Problem: "the protocol is pinned to " + pin + ", which the server does not speak"})
	}
	return v
}

func (c *Client) finish(ctx context.Context, s *Session, v verdict) error {
	switch v.step {
	case stepFail:
		return v.err
	case stepModern:
		s.settle(newModern(v.version, s.opts, s.stream()), readDiscover(v.version, v.result))
		return nil
	}
	return s.initialize(ctx, v)
}
