package mcp

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

var errSilent = errors.New("the server did not answer in time")

// stream tells pipes and sockets, on which all messages share one channel, from
// HTTP.
func (s *Session) stream() bool { return s.peer.Stream }

// modern is the era of a session with a modern server.
func (s *Session) modern(version string) modern {
	return newModern(version, s.opts.ClientInfo, s.profile.Capabilities, s.stream())
}

// probe asks the server for its era. A server that names a revision is asked
// again at that one, once, even if it is the one just sent.
func (s *Session) probe(ctx context.Context) verdict {
	v := s.discover(ctx, modernVersions[0])
	if v.step == stepRepeat {
		v = s.discover(ctx, v.version)
	}
	if v.step == stepRepeat {
		return failed(&IncompatibleError{Problem: "the server refuses the revision that it says it supports"})
	}
	return v
}

// discover sends one server/discover and judges the outcome. A server on a
// stream that stays silent is taken for a legacy one, without closing the door
// to its answer.
func (s *Session) discover(ctx context.Context, version string) verdict {
	e := s.modern(version)
	ask := func(ctx context.Context) verdict {
		params := append(append([]byte(`{"_meta":{`), e.members...), `}}`...)
		resp, err := s.handshake(ctx, methodDiscover, params, e.envelope(""))
		return classify(resp, err, s.stream())
	}
	if !s.stream() {
		ctx, cancel := context.WithTimeoutCause(ctx, s.opts.InitializeTimeout, errSilent)
		defer cancel()
		return ask(ctx)
	}
	answer := make(chan verdict, 1)
	s.background.Go(func() { answer <- ask(ctx) })
	silence := time.NewTimer(s.opts.ProbeTimeout)
	defer silence.Stop()
	select {
	case v := <-answer:
		return v
	case <-silence.C:
		v := toLegacy()
		v.late = answer
		return v
	}
}

// initialize opens a legacy session. If the server was silent on the probe, its
// answer to that wins if it comes first and is that of a modern server.
func (s *Session) initialize(ctx context.Context, v verdict) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.InitializeTimeout, errSilent)
	defer cancel()
	if v.late == nil {
		return s.openLegacy(ctx, v.version)
	}
	opened := make(chan error, 1)
	s.background.Go(func() { opened <- s.openLegacy(ctx, v.version) })
	for {
		select {
		case err := <-opened:
			return err
		case late := <-v.late:
			if v.late = nil; late.step != stepModern {
				continue
			}
			cancel()
			if err := <-opened; err != nil {
				s.settle(s.modern(late.version), readDiscover(late.version, late.result))
			}
			return nil
		}
	}
}

// openLegacy is the handshake of the legacy era (spec 2025-11-25,
// basic/lifecycle).
func (s *Session) openLegacy(ctx context.Context, version string) error {
	params := marshal(map[string]any{
		"protocolVersion": version,
		"capabilities":    s.profile.Capabilities,
		"clientInfo":      s.opts.ClientInfo,
	})
	resp, err := s.handshake(ctx, methodInitialize, params, transport.Envelope{Handshake: true})
	if err != nil {
		return err
	}
	switch {
	case resp.Error != nil && resp.Status >= 500:
		return unavailable(resp)
	case resp.Error != nil:
		return &IncompatibleError{Problem: "the server refused initialize", Status: resp.Status, Err: resp.Error}
	}
	info, err := readInitialize(resp.Result)
	if err != nil {
		return err
	}
	s.settle(legacy{revision: info.ProtocolVersion, tasks: info.Declares("tasks", "requests", "tools", "call")}, info)
	return s.notify(ctx, notificationInitialized, nil)
}

// handshake makes a request outside of any era.
func (s *Session) handshake(ctx context.Context, method string, params []byte, env transport.Envelope) (*transport.Response, error) {
	id := s.nextID.Add(1)
	ctx, op := s.inst.start(ctx, s, &Call{Method: method}, id)
	resp, err := s.tr.RoundTrip(ctx, &transport.Request{ID: id, Method: method, Params: params, Envelope: env})
	failure := err
	if err == nil && resp.Error != nil {
		failure = resp.Error
	}
	op.end(nil, failure)
	return resp, err
}
