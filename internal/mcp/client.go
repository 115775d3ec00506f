package mcp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Client opens sessions with one server. It remembers what it has learnt of
// the server's era. Its methods may be called concurrently.
type Client struct {
	*base

	dialer transport.Dialer
	// peer is what the dialer reaches.
	peer *transport.Peer
	// other is the client of the dialer's other way to the server, nil if it has
	// none.
	other *Client
}

// A base is what a client and its sessions have in common. It is not changed.
type base struct {
	*knowledge

	opts    *Options
	profile *Profile
	inst    *instruments
}

// knowledge is what the clients of one server have learnt of it. Times are in
// Unix nanoseconds.
type knowledge struct {
	// legacyUntil is until when the server is taken for a legacy one without a
	// probe.
	legacyUntil atomic.Int64
	// otherUntil is until when the server is at once reached the other way.
	otherUntil atomic.Int64
	// public are the results that the server said are the same for everybody.
	public cache
	// lastAgreed is the agreement that a session came to last.
	lastAgreed atomic.Pointer[agreement]
}

// legacyMemory bounds how long a server is believed to be legacy: one that was
// upgraded still answers initialize, and would never be found out.
const legacyMemory = time.Hour

// NewClient returns a client of the server that d reaches.
func NewClient(d transport.Dialer, o Options) *Client {
	o = o.WithDefaults()
	b := &base{opts: &o, profile: new(Profile), inst: newInstruments(o), knowledge: new(knowledge)}
	return newClient(b, d).withFallback()
}

// WithDialer returns a client of the same server that reaches it by d, as one who
// shows other credentials. What the clients learn of the server they share, so d
// must be of the same kind as the client's own dialer.
func (c *Client) WithDialer(d transport.Dialer) *Client {
	other := newClient(c.base, d)
	if c.other != nil {
		if f, ok := d.(fallbacker); ok {
			other.other = c.other.WithDialer(f.Fallback())
		}
	}
	return other
}

func newClient(b *base, d transport.Dialer) *Client {
	peer := d.Peer()
	return &Client{base: b, dialer: d, peer: &peer}
}

// Apart is WithDialer for one who sends the server headers of its own. What it
// is told may be true for it alone, whatever the server says, so others learn
// nothing of it.
func (c *Client) Apart(d transport.Dialer) *Client {
	apart := c.WithDialer(d)
	apart.base = apart.apart()
	if apart.other != nil {
		apart.other.base = apart.other.apart()
	}
	return apart
}

// apart returns a copy with a knowledge of its own.
func (b *base) apart() *base {
	apart := *b
	apart.knowledge = b.ofEra()
	return &apart
}

// ofEra returns a copy of what is known of the server's era and of the way to it.
func (k *knowledge) ofEra() *knowledge {
	other := new(knowledge)
	other.legacyUntil.Store(k.legacyUntil.Load())
	other.otherUntil.Store(k.otherUntil.Load())
	return other
}

// Peer describes the server's end, as it is reached as far as is known.
func (c *Client) Peer() transport.Peer {
	if c.elsewhere() {
		return c.other.Peer()
	}
	return *c.peer
}

// Connect opens a session. It finds out the server's era with server/discover,
// unless the protocol is pinned or the server is known for a legacy one, and
// falls back as the specification's compatibility matrix says (spec
// 2026-07-28, basic/versioning). If the dialer knows another way to the server,
// and the server refuses this one, it takes the other. ctx bounds the opening,
// not the session's life.
//
// Its errors are [*transport.Error] where the server could not be reached or
// said nothing of its era, and [*IncompatibleError] otherwise.
func (c *Client) Connect(ctx context.Context) (*Session, error) {
	if c.other != nil {
		return c.connectEither(ctx)
	}
	return c.connectHere(ctx)
}

// connectHere opens a session the dialer's own way.
func (c *Client) connectHere(ctx context.Context) (*Session, error) {
	remembered := c.opts.Protocol == "" && time.Now().UnixNano() < c.legacyUntil.Load()
	s, err := c.connect(ctx, remembered)
	if remembered && contradicts(err, *c.peer) {
		remembered = false
		s, err = c.connect(ctx, false)
	}
	// Only what was found out just now is remembered: a server that is never
	// asked again would be taken for a legacy one for ever.
	if err == nil && !remembered && s.Info().Era == EraLegacy {
		c.rememberLegacy()
	}
	return s, err
}

func (c *Client) rememberLegacy() {
	c.legacyUntil.Store(time.Now().Add(legacyMemory).UnixNano())
}

// contradicts reports whether a failed initialize speaks against the server
// being a legacy one.
func contradicts(err error, p transport.Peer) bool {
	var mismatch *IncompatibleError
	return err != nil && (errors.As(err, &mismatch) || classifyFailure(err, p.Stream).step != stepFail)
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
	s := &Session{base: c.base, peer: c.peer}
	s.dialling.Lock()
	defer s.dialling.Unlock()
	s.nextID.Store(beforeFirstID(*s.peer))
	tr, err := c.dialer.Dial(ctx, s.receive)
	if err == nil {
		s.tr = tr
	}
	return s, err
}

// maxFirstID keeps ids within 32 bits, which is all that some servers have.
const maxFirstID = 1 << 30

// beforeFirstID returns the number that the ids of a session follow. A gateway
// that runs one server for all of its clients may send what one of them is
// answered, or told of its progress, to all: ids that differ from session to
// session keep them apart.
func beforeFirstID(p transport.Peer) int64 {
	if p.Stream && p.Network == "tcp" {
		return rand.Int64N(maxFirstID) //nolint:gosec // it is no secret
	}
	return 0
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
	switch {
	case pin == "" || v.step == stepModern || v.step == stepFail:
		return v
	case v.step == stepRespawn: // which is no word on what the server speaks
		return failed(v.err)
	}
	return failed(&IncompatibleError{Problem: "the protocol is pinned to " + pin + ", which the server does not speak"})
}

func (c *Client) finish(ctx context.Context, s *Session, v verdict) error {
	switch v.step {
	case stepFail:
		return v.err
	case stepModern:
		s.settle(s.modern(v.version), readDiscover(v.version, v.result))
		return nil
	case stepRespawn:
		return c.revive(ctx, s, v)
	default:
		return s.initialize(ctx, v)
	}
}

// revive opens a session with a process that follows one which did not survive
// the probe. It is taken for a legacy server, that cannot bear to be probed. If
// it says itself that it is a modern one, the first was killed by something
// else, and the new one is probed.
func (c *Client) revive(ctx context.Context, s *Session, v verdict) error {
	err := s.initialize(ctx, v)
	var refusal *jsonrpc.Error
	if errors.As(err, &refusal) && refusal.Code == codeUnsupportedVersion && classifyUnsupported(refusal).step == stepRepeat {
		return c.finish(ctx, s, s.probe(ctx))
	}
	return err
}
