package service

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// The bounds of the calls that wait for answers which come with another RPC.
const (
	maxParkedPerPrincipal = 32
	maxParked             = 512
	// dismissTime is what a call has to end by itself when its questions have
	// been dismissed, before it is cancelled.
	dismissTime = time.Second
	// maxKeptResult bounds a result that is kept for an RPC that may come.
	maxKeptResult = 1 << 20
)

var (
	errParkedExpired = errors.New("the answers to the server's questions did not come in time")
	errTakenOver     = errors.New("another RPC goes on with this call")
)

// An ending is what came of a call.
type ending struct {
	result *mcp.Result
	out    pool.Outcome
	err    error
}

// A parkedCall is a call that may outlive the RPC that made it: it runs on a
// goroutine of its own, RPCs attend to it, and while its questions wait for an
// RPC that answers them, none does. It may be used concurrently.
type parkedCall struct {
	id        string
	principal string
	ttl       time.Duration
	table     *parkedCalls
	// cancel ends the call.
	cancel context.CancelCauseFunc

	// mu guards what follows.
	mu sync.Mutex
	// open are the questions without an answer, by their keys; answered has the
	// keys of the others.
	open     map[string]*parkedQuestion
	answered map[string]struct{}
	// parked: a caller has been told how to go on with the call.
	parked bool
	// over: no RPC will come back to it.
	over     bool
	attended *attendant
	ending   *ending
	// expiry runs while nobody attends.
	expiry *time.Timer
}

type parkedQuestion struct {
	mcp.Question
	// until is when it is dismissed at the latest; zero: nobody says.
	until  time.Time
	answer chan mcp.Answer
}

// openQuestions are what an RPC is told of.
type openQuestions struct {
	byKey map[string]askedFor
	// until is when the first of them is dismissed; zero: nobody says.
	until time.Time
}

// An attendant is an RPC that waits for what the call does next.
type attendant struct {
	// wake holds a token while there may be something new.
	wake chan struct{}
	// notify gets the call's notifications; nil drops them.
	notify func(jsonrpc.Message)
	// gone is closed when another RPC has taken its place.
	gone chan struct{}
}

func newAttendant(notify func(jsonrpc.Message)) *attendant {
	return &attendant{wake: make(chan struct{}, 1), notify: notify, gone: make(chan struct{})}
}

// ask is an [mcp.Ask].
func (p *parkedCall) ask(ctx context.Context, asked mcp.Question) (mcp.Answer, error) {
	if err := p.table.enroll(p); err != nil {
		p.cancel(err)
		return mcp.Answer{}, err
	}
	q := &parkedQuestion{Question: asked, answer: make(chan mcp.Answer, 1)}
	q.until, _ = ctx.Deadline()
	if !p.put(q) {
		return dismissed(q.Method), nil
	}
	select {
	case a := <-q.answer:
		return a, nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.open[q.Key] == q {
			delete(p.open, q.Key)
		}
		return mcp.Answer{}, context.Cause(ctx)
	}
}

// put adds a question, unless the call is given up or has ended: a server may
// ask and answer in one breath.
func (p *parkedCall) put(q *parkedQuestion) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		p.table.remove(p) // it may just have been added
		return false
	case p.ending != nil:
		return false
	}
	p.open[q.Key] = q
	delete(p.answered, q.Key) // a server may use an id again
	p.wakeLocked()
	return true
}

// notify passes a notification on to who attends.
func (p *parkedCall) notify(msg jsonrpc.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.attended != nil && p.attended.notify != nil {
		p.attended.notify(msg)
	}
}

// end notes what came of the call.
func (p *parkedCall) end(e ending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = &e
	p.over = p.over || p.attended == nil && e.result != nil && len(e.result.JSON) > maxKeptResult
	if p.over {
		p.table.remove(p)
	}
	p.wakeLocked()
}

func (p *parkedCall) wakeLocked() {
	if p.attended == nil {
		return
	}
	select {
	case p.attended.wake <- struct{}{}:
	default:
	}
}

// attend makes a the one who attends.
func (p *parkedCall) attend(a *attendant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.attended != nil {
		close(p.attended.gone)
	}
	p.attended = a
	if p.expiry != nil {
		p.expiry.Stop()
	}
	p.wakeLocked()
}

// next waits for what the call does next: it ends, or has open questions. a is
// dismissed with either. An error says that a gets to know neither, and whether
// the call goes on without it.
func (p *parkedCall) next(ctx context.Context, a *attendant) (e *ending, questions *openQuestions, err error) {
	over := ctx.Done()
	for {
		if e, questions := p.look(a); e != nil || questions != nil {
			return e, questions, nil
		}
		select {
		case <-a.wake:
		case <-a.gone:
			return nil, nil, errTakenOver
		case <-over:
			if p.leave(a) {
				return nil, nil, context.Cause(ctx)
			}
			// It has nobody to come back to it: the call ends with its caller,
			// and says itself what became of it.
			p.cancel(context.Cause(ctx))
			over = nil
		}
	}
}

// look returns what there is to tell a, if there is anything, and dismisses it.
func (p *parkedCall) look(a *attendant) (*ending, *openQuestions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.attended != a:
		return nil, nil
	case p.ending != nil:
		p.attended, p.over = nil, true
		p.table.remove(p)
		return p.ending, nil
	case len(p.open) == 0:
		return nil, nil
	}
	questions := &openQuestions{byKey: make(map[string]askedFor, len(p.open))}
	for key, q := range p.open {
		questions.byKey[key] = askedFor{Method: q.Method, Params: q.Params}
		if questions.until.IsZero() || q.until.Before(questions.until) {
			questions.until = q.until
		}
	}
	p.parked = true
	p.unattendLocked()
	return nil, questions
}

// leave dismisses a, and reports whether the call goes on without it.
func (p *parkedCall) leave(a *attendant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parked && p.attended == a {
		p.unattendLocked()
	}
	return p.parked
}

func (p *parkedCall) unattendLocked() {
	p.attended = nil
	if p.expiry == nil {
		p.expiry = time.AfterFunc(p.ttl, p.expire)
		return
	}
	p.expiry.Reset(p.ttl)
}

// expire gives up a call that nobody attends to: its questions are dismissed,
// as a person would who does not answer, and then it is cancelled.
func (p *parkedCall) expire() {
	p.mu.Lock()
	if p.attended != nil {
		p.mu.Unlock()
		return
	}
	open := p.open
	p.open, p.over = make(map[string]*parkedQuestion), true
	p.mu.Unlock()
	p.table.remove(p)
	for _, q := range open {
		q.answer <- dismissed(q.Method)
	}
	time.AfterFunc(dismissTime, func() { p.cancel(errParkedExpired) })
}

// dismissed is the answer to a question that nobody answers any more.
func dismissed(method string) mcp.Answer {
	if method == mcp.MethodElicitation {
		return mcp.Answer{Result: []byte(`{"action":"cancel"}`)}
	}
	return mcp.Answer{Error: &jsonrpc.Error{Code: rejectedByUser, Message: errParkedExpired.Error()}}
}

// answer hands over the answers that check makes for the open questions. Those
// of questions that have been answered before are ignored, so that an RPC may
// be repeated; of others check is told with ok = false. When check fails for
// one, none is handed over.
func (p *parkedCall) answer(keys []string, check func(key string, q mcp.Question, ok bool) (mcp.Answer, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make(map[string]mcp.Answer, len(keys))
	for _, key := range keys {
		if _, before := p.answered[key]; before {
			continue
		}
		q, ok := p.open[key]
		var asked mcp.Question
		if ok {
			asked = q.Question
		}
		a, err := check(key, asked, ok)
		if err != nil {
			return err
		}
		answers[key] = a
	}
	for key, a := range answers {
		p.open[key].answer <- a
		delete(p.open, key)
		p.answered[key] = struct{}{}
	}
	if p.attended == nil && p.expiry != nil && !p.over {
		p.expiry.Reset(p.ttl) // whoever answers is about to attend
	}
	return nil
}

// parkedCalls are the calls that RPCs may come back to. It may be used
// concurrently.
type parkedCalls struct {
	// mu guards what follows. It may be taken while a call's mu is held, not the
	// other way round.
	mu    sync.Mutex
	calls map[string]*parkedCall
	count map[string]int
}

func newParkedCalls() *parkedCalls {
	return &parkedCalls{calls: make(map[string]*parkedCall), count: make(map[string]int)}
}

// begin returns a call of that principal, which can be found again once it has
// asked something, for ttl after its last RPC has left it.
func (t *parkedCalls) begin(principal string, ttl time.Duration, cancel context.CancelCauseFunc) *parkedCall {
	return &parkedCall{
		id: rand.Text(), principal: principal, ttl: ttl, table: t, cancel: cancel,
		open: make(map[string]*parkedQuestion), answered: make(map[string]struct{}),
	}
}

// enroll makes a call one that can be found, within the limits.
func (t *parkedCalls) enroll(p *parkedCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.calls[p.id] != nil:
		return nil
	case t.count[p.principal] >= maxParkedPerPrincipal:
		return &pool.QuotaError{Limit: "calls that wait for input, per caller", Max: maxParkedPerPrincipal}
	case len(t.calls) >= maxParked:
		return &pool.QuotaError{Limit: "calls that wait for input", Max: maxParked}
	}
	t.calls[p.id] = p
	t.count[p.principal]++
	return nil
}

// find returns the call of that id, nil if there is none.
func (t *parkedCalls) find(id string) *parkedCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls[id]
}

// remove forgets a call.
func (t *parkedCalls) remove(p *parkedCall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls[p.id] != p {
		return
	}
	delete(t.calls, p.id)
	if t.count[p.principal]--; t.count[p.principal] == 0 {
		delete(t.count, p.principal)
	}
}
