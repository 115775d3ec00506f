package service

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const (
	maxKeyBytes = 256
	// flightLife is how long the outcome of a call with an idempotency key is kept.
	flightLife = 10 * time.Minute
)

// KeyLimits bound the calls that have an idempotency key. Zero fields take the
// default.
type KeyLimits struct {
	// Calls bounds those that are remembered. Default 10,000.
	Calls int
	// OwnCalls bounds those of one principal once half of all are taken, so that it
	// leaves something to the others. Default 1,000.
	OwnCalls int
	// Bytes bounds their results; the oldest are given up first. Default 64 MiB.
	Bytes int
}

func (l KeyLimits) withDefaults() KeyLimits {
	if l.Calls <= 0 {
		l.Calls = 10_000
	}
	if l.OwnCalls <= 0 {
		l.OwnCalls = 1_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 20
	}
	return l
}

// errOutcomeUnknown is all that is left to say of a call of which nobody knows
// what became of it.
var errOutcomeUnknown = errors.New("the call with this idempotency_key was made before; nobody knows what became of it, or its result is not kept any more")

// A keyReusedError says that an idempotency key is that of another call.
type keyReusedError struct{}

func (keyReusedError) Error() string { return "the idempotency_key belongs to another call" }

// A flightKey tells the calls with idempotency keys from each other.
type flightKey struct{ principal, key string }

// A flightID tells a call from others that have the same key.
type flightID struct {
	// call is what the caller asks for, request also what it was given as input.
	call, request [sha256.Size]byte
	// resumes: it goes on with what an earlier one was asked.
	resumes bool
}

// A flight is one call with an idempotency key, and afterwards its outcome.
type flight struct {
	flightID
	key flightKey
	// done is closed when the call is over.
	done chan struct{}

	// mu guards what follows, up to the next comment.
	mu sync.Mutex
	// followers get the notifications of the call, by number.
	followers map[int]func(jsonrpc.Message)
	joined    int

	// What follows is guarded by the mu of flights; ended and bytes are set when it
	// is over.

	// before is the flight that this one goes on with, nil if there is none, or
	// none any more.
	before  *flight
	outcome *outcome
	ended   time.Time
	bytes   int
}

// An outcome is what became of a call. It is written before the call is over, and
// never changed: who waits for it gets it, even if it is too large to be kept.
type outcome struct {
	resp *mcpbridgev1.CallToolResponse
	err  error
}

// get returns the outcome of a call that is over. Those who ask only after its end
// are not told how it failed where nobody knows what that means.
func (o *outcome) get(late bool) (*mcpbridgev1.CallToolResponse, error) {
	if late && o.err != nil && deliveryOf(o.err) == transport.Unknown {
		return nil, errOutcomeUnknown
	}
	return o.resp, o.err
}

// follow has notify get the notifications of the call until leave is called.
func (f *flight) follow(notify func(jsonrpc.Message)) (leave func()) {
	if notify == nil {
		return func() {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers == nil {
		f.followers = make(map[int]func(jsonrpc.Message))
	}
	f.joined++
	n := f.joined
	f.followers[n] = notify
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.followers, n)
	}
}

func (f *flight) notify(msg jsonrpc.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, notify := range f.followers {
		notify(msg)
	}
}

// find returns the flight of that request: f, or one that f goes on with.
func (f *flight) find(id flightID) *flight {
	for ; f != nil; f = f.before {
		if f.request == id.request {
			return f
		}
	}
	return nil
}

// awaits reports whether a call of that id goes on with f.
func (f *flight) awaits(id flightID) bool {
	return id.resumes && f.call == id.call && f.outcome.resp.GetInputRequired() != nil
}

// flights are the calls with idempotency keys. It may be used concurrently.
type flights struct {
	limits KeyLimits

	// mu guards what follows.
	mu sync.Mutex
	// byKey are the last of each key.
	byKey map[flightKey]*flight
	// ended are those that are over, in that order, kept the first of them whose
	// result has not been given up for want of room.
	ended *list.List
	kept  *list.Element
	// bytes are those of the outcomes, count that of the flights, in all and by
	// principal.
	bytes, count int
	own          map[string]int
}

func newFlights(limits KeyLimits) *flights {
	return &flights{limits: limits.withDefaults(), byKey: make(map[flightKey]*flight), ended: list.New(), own: make(map[string]int)}
}

// join returns the flight of that key and id, and whether it was there before. A
// call that goes on with what the one before has asked takes its place; who
// repeats the one before still finds that.
func (t *flights) join(key flightKey, id flightID) (f *flight, joined bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(time.Now())
	last := t.byKey[key]
	if f = last.find(id); f != nil {
		return f, true, nil
	}
	switch {
	case last != nil && !last.awaits(id):
		return nil, false, keyReusedError{}
	case t.count >= t.limits.Calls/2 && t.own[key.principal] >= t.limits.OwnCalls:
		return nil, false, &pool.QuotaError{Limit: "limits.caller_idempotency_keys", Max: t.limits.OwnCalls}
	case t.count >= t.limits.Calls:
		return nil, false, &pool.QuotaError{Limit: "limits.idempotency_keys", Max: t.limits.Calls}
	}
	f = &flight{flightID: id, key: key, before: last, outcome: new(outcome), done: make(chan struct{})}
	t.byKey[key] = f
	t.count++
	t.own[key.principal]++
	return f, false, nil
}

// end notes the outcome of a flight. A call that certainly did not reach the
// tool may be made again.
func (t *flights) end(f *flight, resp *mcpbridgev1.CallToolResponse, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer close(f.done)
	if f.outcome.err = err; err == nil {
		f.outcome.resp = resp
	}
	if err != nil && deliveryOf(err) == transport.NotSent {
		t.forgetLocked(f)
		return
	}
	f.ended, f.bytes = time.Now(), proto.Size(f.outcome.resp)
	t.bytes += f.bytes
	last := t.ended.PushBack(f)
	if t.kept == nil {
		t.kept = last
	}
	for ; t.bytes > t.limits.Bytes && t.kept != nil; t.kept = t.kept.Next() {
		t.dropLocked(t.kept.Value.(*flight)) //nolint:forcetypeassert // nothing else is stored
	}
}

// outcome returns where the outcome of a flight is to be found when it is over.
func (t *flights) outcome(f *flight) *outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f.outcome
}

// dropLocked lets go of the result of a flight, which those who wait for it have
// hold of.
func (t *flights) dropLocked(f *flight) {
	t.bytes -= f.bytes
	f.bytes = 0
	if f.outcome.err == nil {
		f.outcome = &outcome{err: errOutcomeUnknown}
	}
}

// forgetLocked takes a flight out of those of its key. What it went on with is
// what a caller may go on with again.
func (t *flights) forgetLocked(f *flight) {
	t.count--
	if t.own[f.key.principal]--; t.own[f.key.principal] == 0 {
		delete(t.own, f.key.principal)
	}
	next := t.byKey[f.key]
	switch {
	case next == f && f.before == nil:
		delete(t.byKey, f.key)
		return
	case next == f:
		t.byKey[f.key] = f.before
		return
	}
	for ; next != nil; next = next.before {
		if next.before == f {
			next.before = f.before
			return
		}
	}
}

func (t *flights) expireLocked(now time.Time) {
	for e := t.ended.Front(); e != nil; e = t.ended.Front() {
		f := e.Value.(*flight) //nolint:forcetypeassert // nothing else is stored
		if now.Sub(f.ended) < flightLife {
			return
		}
		if e == t.kept {
			t.kept = e.Next()
		}
		t.ended.Remove(e)
		t.dropLocked(f)
		t.forgetLocked(f)
	}
}

// once makes a call with an idempotency key, or waits for the one that has it.
// The call runs apart from the RPC, whose caller may come back for the outcome.
func (s *Service) once(ctx context.Context, key string, op *operation, t target, req toolRequest, resp *mcpbridgev1.CallToolResponse) error {
	if len(key) > maxKeyBytes {
		return &fieldError{Field: "idempotency_key", Problem: fmt.Sprintf("is longer than %d bytes", maxKeyBytes)}
	}
	id, err := idOf(req, op)
	if err != nil {
		return err
	}
	f, joined, err := s.flights.join(flightKey{auth.FromContext(ctx).ID, key}, id)
	if err != nil {
		return op.failed(err)
	}
	awaited, late := s.flights.outcome(f), false
	defer f.follow(op.request.Notify)()
	if joined {
		commit(ctx)() // another call is what makes the tool run
		select {
		case <-f.done:
			late = true
		default:
		}
	} else {
		op.request.Notify = f.notify
		go s.fly(ctx, f, op, t)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return op.failed(&lateError{Err: context.Cause(ctx)})
	}
	made, err := awaited.get(late)
	if err != nil {
		return op.failed(err)
	}
	proto.Merge(resp, made)
	return nil
}

// fly makes the call of a flight. It lasts as long as the RPC that began it may.
func (s *Service) fly(ctx context.Context, f *flight, op *operation, t target) {
	deadline, bounded := ctx.Deadline()
	ctx = context.WithoutCancel(ctx)
	if bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	resp := new(mcpbridgev1.CallToolResponse)
	err := recovered(func() error { return s.perform(ctx, op, t, resp) })
	s.flights.end(f, resp, err)
}

// idOf tells calls apart: by what the server gets, however that is written in
// the request, and by the rest of the request, without what does not make
// another call of it; for call also without what answers the server's questions.
// A result has the form that was asked for first.
func idOf(req toolRequest, op *operation) (id flightID, err error) {
	m := proto.CloneOf[proto.Message](req.ProtoReflect().Interface()).ProtoReflect()
	digest := func(but ...protoreflect.Name) (sum [sha256.Size]byte, err error) {
		for _, name := range but {
			m.Clear(m.Descriptor().Fields().ByName(name))
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
		if err != nil {
			return sum, fmt.Errorf("digest the call: %w", err)
		}
		h := sha256.New()
		for _, part := range [][]byte{b, op.request.Params, op.request.Meta} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			h.Write(part)
		}
		return [sha256.Size]byte(h.Sum(nil)), nil
	}
	id.resumes = op.inputs.state != nil
	if id.request, err = digest("arguments", "arguments_json", "meta", "meta_json", "json_format",
		"timeout", "extend_timeout_on_progress", "idempotency_key"); err != nil {
		return id, err
	}
	id.call, err = digest("input_responses", "request_state")
	return id, err
}
