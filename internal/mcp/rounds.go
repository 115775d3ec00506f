package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// maxRounds bounds how often one call is sent, so that a server which never has
// enough does not keep it for ever.
const maxRounds = 10

// The retries of a call for which the server wants no answers, only some time.
const (
	maxDeferrals  = 3
	firstDeferral = 250 * time.Millisecond
)

// rounds are the rounds of one call after the first. A modern server keeps
// nothing of a call between them, so they share nothing with other calls.
type rounds struct {
	session *Session
	// call is the call as it is sent next, first as the caller made it.
	call, first *Call
	// ask is who is asked, nil if there is nobody.
	ask Ask
	// answers is what the server was told that the call's caller answers.
	answers Capabilities
	// deferrals counts the rounds that were asked for without a question.
	deferrals int
	// opened: the URLs that the server wanted to be opened have been.
	opened bool
}

// goOn goes on with a call whose first round ended in err, if that is because
// the server wants to know something.
func (s *Session) goOn(ctx context.Context, c *Call, err error) (*Result, error) {
	next := *c
	next.OnSend = nil // the call was sent
	r := &rounds{session: s, call: &next, first: c, ask: s.profile.Ask, answers: s.profile.Capabilities}
	if c.Ask != nil {
		r.ask = c.Ask
	}
	if c.Capabilities != nil && s.era().kind() == EraModern {
		r.answers = *c.Capabilities
	}
	for sent := 1; ; sent++ {
		if err := r.prepare(ctx, err); err != nil {
			return nil, err
		}
		if sent == maxRounds {
			return nil, &LimitError{Limit: "rounds of a call", Max: maxRounds}
		}
		var result *Result
		if result, err = s.once(ctx, r.call); err == nil {
			return result, nil
		}
		err = reached(err)
	}
}

// reached is the error of a later round: the call has reached the server, even if
// this round has not.
func reached(err error) error {
	var te *transport.Error
	if !errors.As(err, &te) || te.Delivery != transport.NotSent {
		return err
	}
	later := *te
	later.Delivery = transport.Unknown
	return &later
}

// prepare makes the call ready for its next round, after one that ended in err.
// It returns the error that the call ends with, nil if it goes on.
func (r *rounds) prepare(ctx context.Context, err error) error {
	var required *InputRequiredError
	var je *jsonrpc.Error
	legacy := r.session.era().kind() == EraLegacy
	switch {
	case !legacy && errors.As(err, &required):
		return r.answer(ctx, required)
	case legacy && errors.As(err, &je) && je.Code == codeURLElicitation:
		return r.open(ctx, je)
	}
	return err
}

// answer finds the answers that a modern server asks for, and puts them into the
// call (spec 2026-07-28, basic/patterns/mrtr).
func (r *rounds) answer(ctx context.Context, required *InputRequiredError) error {
	questions, state, err := readInput(required)
	switch {
	case err != nil:
		return err
	case r.call.Manual:
		return required
	case len(questions) == 0:
		r.call.Params = withInput(r.first.Params, nil, state)
		return r.wait(ctx, required)
	case r.ask == nil:
		return required
	}
	for _, q := range questions {
		if refusal := r.answers.refuse(q); refusal != nil {
			r.session.opts.Logger.Debug("question of the server refused", "method", cut(q.Method, 100), "error", refusal)
			return required
		}
	}
	answers, err := r.session.askAll(ctx, r.ask, questions)
	switch {
	case ctx.Err() != nil:
		return gone(ctx)
	case err != nil:
		r.session.opts.Logger.Debug("question of the server not answered", "error", err)
		return required
	}
	r.call.Params = withInput(r.first.Params, responses(questions, answers), state)
	return nil
}

// wait waits before a round that the server asked for without a question: it
// sheds load.
func (r *rounds) wait(ctx context.Context, required *InputRequiredError) error {
	if r.deferrals == maxDeferrals {
		return required
	}
	delay := firstDeferral << r.deferrals
	delay += rand.N(delay / 4) //nolint:gosec // it is no secret
	r.deferrals++
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return gone(ctx)
	}
}

// gone is the error of a call whose context ended between two rounds: all that
// was sent has been answered.
func gone(ctx context.Context) error {
	return &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Answered, Err: context.Cause(ctx)}
}

// readInput reads what a modern server wants to know. null is as good as absent;
// a result must have one of the two (spec 2026-07-28, basic/patterns/mrtr).
func readInput(required *InputRequiredError) (questions []Question, state json.RawMessage, err error) {
	invalid := func(problem string) error { return &ResultError{Method: required.Method, Problem: problem} }
	requests := rawjson.Get(required.Result, "inputRequests")
	if state = rawjson.Get(required.Result, "requestState"); rawjson.IsNull(state) {
		state = nil
	}
	if !rawjson.IsNull(requests) {
		if object(requests) == nil {
			return nil, nil, invalid("inputRequests is not an object")
		}
		if questions, err = readQuestions(requests); err != nil {
			return nil, nil, invalid(err.Error())
		}
	}
	if len(questions) == 0 && state == nil {
		return nil, nil, invalid("it requires input, but has neither inputRequests nor requestState")
	}
	return questions, state, nil
}

var errNoQuestion = errors.New("an entry of inputRequests is not a request")

// readQuestions reads the object inputRequests. Of entries of the same key the
// last counts.
func readQuestions(requests []byte) ([]Question, error) {
	var questions []Question
	index := make(map[string]int)
	err := rawjson.Object(requests, func(key, v []byte) error {
		method, err := rawjson.String(rawjson.Get(object(v), "method"))
		if err != nil {
			return errNoQuestion
		}
		q := Question{Key: string(key), Method: method}
		if params := rawjson.Get(v, "params"); !rawjson.IsNull(params) {
			q.Params = params
		}
		if i, twice := index[q.Key]; twice {
			questions[i] = q
			return nil
		}
		if len(questions) == maxQuestions {
			return errTooManyQuestions
		}
		index[q.Key] = len(questions)
		questions = append(questions, q)
		return nil
	})
	return questions, err
}

// responses is the text of inputResponses.
func responses(questions []Question, answers []Answer) []byte {
	b := []byte{'{'}
	for i, q := range questions {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(rawjson.AppendString(b, q.Key), ':')
		b = append(b, answers[i].Result...)
	}
	return append(b, '}')
}

// withInput returns params with these answers and this state, and no others.
func withInput(params, responses, state []byte) []byte {
	b := make([]byte, 1, len(params)+len(responses)+len(state)+48)
	b[0] = '{'
	member := func(key, v []byte) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(rawjson.AppendString(b, key), ':'), v...)
	}
	_ = rawjson.Object(params, func(key, v []byte) error {
		if k := string(key); k != "inputResponses" && k != "requestState" {
			member(key, v)
		}
		return nil
	})
	if responses != nil {
		member([]byte("inputResponses"), responses)
	}
	if state != nil {
		member([]byte("requestState"), state)
	}
	return append(b, '}')
}
