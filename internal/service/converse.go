package service

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A lateError is the failure of an RPC that goes on with a call of an earlier
// one, which may have reached the server.
type lateError struct{ Err error }

func (e *lateError) Error() string { return e.Err.Error() }
func (e *lateError) Unwrap() error { return e.Err }

// converse makes a call whose caller answers questions by calling again. In
// resumed a modern server's call goes on; nil begins one. The call runs apart
// from the RPC: with a legacy server it outlives it.
func (s *Service) converse(ctx context.Context, op *operation, t target, caps mcp.Capabilities, resumed *requestState, resp proto.Message) error {
	if resumed != nil {
		if err := s.resume(op, resumed); err != nil {
			return err
		}
	}
	rpc, done, progress, err := s.bound(ctx, op.limit, t.preset)
	if err != nil {
		return err
	}
	defer done()
	detached, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := s.parked.begin(t.principal, s.opts.InputTimeout, cancel)
	a := newAttendant(onProgress(op.request.Notify, progress))
	p.attend(a)
	if a.notify != nil {
		op.request.Notify = p.notify
	}
	op.request.Manual, op.request.Capabilities, op.request.Ask = true, &caps, withRoots(t, p.ask)
	go func() {
		defer cancel(nil)
		p.end(s.run(detached, op, t, caps, resumed))
	}()
	return s.await(rpc, op, t, p, a, resp)
}

// run makes the call.
func (s *Service) run(ctx context.Context, op *operation, t target, caps mcp.Capabilities, resumed *requestState) (e ending) {
	e.err = recovered(func() error {
		on, release, err := s.checkOut(ctx, op, t, caps)
		if err != nil {
			return op.failed(err)
		}
		defer release()
		e.out, err = op.on(ctx, on, func(ctx context.Context, session *pool.Live) (err error) {
			if resumed != nil && session.Info().Era != resumed.Era {
				return &lateError{Err: errStateLost}
			}
			if e.result, err = session.Call(ctx, op.request); err == nil {
				follow(session, e.result)
			}
			return err
		})
		return err
	})
	return e
}

// await waits for what the call does next, and fills in resp.
func (s *Service) await(ctx context.Context, op *operation, t target, p *parkedCall, a *attendant, resp proto.Message) error {
	e, questions, err := p.next(ctx, a)
	switch {
	case errors.Is(err, errTakenOver):
		return op.failed(&lateError{Err: errStateLost})
	case err != nil:
		return op.failed(&lateError{Err: err})
	case questions != nil:
		return s.requireInput(op, t, &requestState{Parked: p.id, Questions: questions.byKey}, questions.until, nil, resp)
	}
	announce(ctx, e.out)
	var required *mcp.InputRequiredError
	switch {
	case errors.As(e.err, &required) && op.inputs.accept && !required.Over:
		st, err := stateOfResult(required.Result)
		if err != nil {
			return op.failed(err)
		}
		st.Era = t.Server().Era()
		return s.requireInput(op, t, st, time.Time{}, required.Result, resp)
	case e.err != nil && op.inputs.state != nil:
		return op.failed(&lateError{Err: e.err})
	case e.err != nil:
		return e.err
	}
	return op.failed(s.seal(&op.call, resp, e.result, op.format))
}

// requireInput seals st and asks the caller for input in resp, until then; zero:
// for as long as st is good. result is the server's own, nil if it gave none.
func (s *Service) requireInput(op *operation, t target, st *requestState, until time.Time, result []byte, resp proto.Message) error {
	st.Principal, st.Target, st.Call = t.principal, t.name, op.digest
	st.Expires = time.Now().Add(s.opts.InputTimeout)
	required, err := inputRequired(st, result, op.format)
	if err != nil {
		return op.failed(err)
	}
	required.ExpireTime = timestamppb.New(st.Expires)
	if !until.IsZero() && until.Before(st.Expires) {
		required.ExpireTime = timestamppb.New(until)
	}
	if st.Parked != "" {
		st.Questions = keysOf(st.Questions) // the call itself has the rest
	}
	if required.RequestState, err = s.states.seal(st); err != nil {
		return op.failed(err)
	}
	switch resp := resp.(type) {
	case *mcpbridgev1.CallToolResponse:
		resp.InputRequired = required
	case *mcpbridgev1.GetPromptResponse:
		resp.InputRequired = required
	case *mcpbridgev1.ReadResourceResponse:
		resp.InputRequired = required
	case *mcpbridgev1.GetTaskResponse:
		resp.Outcome = &mcpbridgev1.GetTaskResponse_InputRequired{InputRequired: required}
	}
	return op.failed(s.checkSize(resp))
}

// unpark hands the answers to a call that waits here, and goes on with it.
func (s *Service) unpark(ctx context.Context, op *operation, t target, st *requestState, resp proto.Message) error {
	p := s.parked.find(st.Parked)
	if p == nil {
		return op.failed(&lateError{Err: errStateLost})
	}
	rpc, done, progress, err := s.bound(ctx, op.limit, t.preset)
	if err != nil {
		return err
	}
	defer done()
	if err := s.answerParked(&op.call, t, p, st, op.inputs.responses); err != nil {
		return err
	}
	if op.tool != "" {
		// The call has been sent: whoever repeats it has to know what it does.
		_ = grpc.SendHeader(ctx, nil)
	}
	a := newAttendant(onProgress(op.request.Notify, progress))
	p.attend(a)
	return s.await(rpc, op, t, p, a, resp)
}

// answerParked hands the answers to a call that waits here.
func (s *Service) answerParked(
	c *call, t target, p *parkedCall, st *requestState, responses map[string]*mcpbridgev1.InputResponse,
) error {
	blocks := takesBlocks(t.Server().ProtocolVersion())
	return p.answer(slices.Sorted(maps.Keys(responses)), func(key string, q mcp.Question, ok bool) (mcp.Answer, error) {
		if _, known := st.Questions[key]; !ok && !known {
			return mcp.Answer{}, unknownKey(key)
		} else if !ok {
			return mcp.Answer{}, c.failed(&lateError{Err: errStateLost}) // taken back, or answered for
		}
		return answerTo(q, responseField(key), responses[key], blocks, s.opts.JSONDepth)
	})
}

func responseField(key string) string { return "input_responses[" + key + "]" }

func unknownKey(key string) error {
	return &fieldError{Field: responseField(key), Problem: "answers no question of the response before"}
}

// resume puts the answers to a server's questions into the request.
func (s *Service) resume(op *operation, st *requestState) error {
	responses, err := s.responsesTo(&op.call, op.request.Method, st, op.inputs.responses)
	if err != nil {
		return err
	}
	if st.Era == mcp.EraLegacy {
		// It had nothing to remember: once the URLs have been opened, it is
		// called as before (spec 2025-11-25, client/elicitation#url-mode).
		return nil
	}
	if len(op.inputs.responses) == 0 {
		responses = nil
	}
	op.request.Resume(responses, st.Server)
	return nil
}

// responsesTo is the text of inputResponses, for a server that has ended the
// call with its questions, or whose task asks.
func (s *Service) responsesTo(
	c *call, method string, st *requestState, given map[string]*mcpbridgev1.InputResponse,
) ([]byte, error) {
	responses := []byte{'{'}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		q, ok := st.Questions[key]
		if !ok {
			return nil, unknownKey(key)
		}
		a, err := answerTo(mcp.Question{Key: key, Method: q.Method, Params: q.Params}, responseField(key), given[key], true, s.opts.JSONDepth)
		if err != nil {
			return nil, err
		}
		if a.Error != nil || st.Era == mcp.EraLegacy && !accepted(a) {
			return nil, c.failed(&lateError{Err: unanswered(method, st)})
		}
		responses = appendMember(responses, key, a.Result)
	}
	return append(responses, '}'), nil
}
