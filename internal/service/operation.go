package service

import (
	"context"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// An operation is a call about which the server may have questions: tools/call,
// prompts/get, resources/read.
type operation struct {
	call
	request *mcp.Call
	format  convert.Format
	inputs  inputs
	// digest is that of the request as the caller made it.
	digest []byte
	// follower is the stream that follows the call; nil for a unary RPC.
	follower *follower
}

// inputs is what a request says of the server's questions.
type inputs struct {
	answers   *mcpbridgev1.Answers
	accept    bool
	responses map[string]*mcpbridgev1.InputResponse
	// state is the request_state; nil if there is none.
	state *string
}

// An inputRequest is a request of such a call.
type inputRequest interface {
	GetAnswers() *mcpbridgev1.Answers
	GetAcceptInputRequired() bool
	GetInputResponses() map[string]*mcpbridgev1.InputResponse
}

// inputs checks what a request says of the server's questions. state is its
// request_state, whose getter cannot tell absent from empty.
func (s *Service) inputs(req inputRequest, state *string) (inputs, error) {
	in := inputs{answers: req.GetAnswers(), accept: req.GetAcceptInputRequired(), responses: req.GetInputResponses(), state: state}
	if in.state == nil && len(in.responses) > 0 {
		return in, &fieldError{Field: "request_state", Problem: "is required with input_responses"}
	}
	return in, nil
}

// query makes a call that is not one of a tool.
func (s *Service) query(ctx context.Context, op *operation, resp proto.Message) error {
	t, err := s.aim(ctx, op)
	if err != nil {
		return err
	}
	return s.perform(ctx, op, t, resp)
}

// perform makes the call and fills in resp: with its result, or with what the
// server asks first.
func (s *Service) perform(ctx context.Context, op *operation, t target, resp proto.Message) (err error) {
	if op.inputs.accept || op.inputs.state != nil {
		op.digest = digestOf(op.request)
	}
	if op.request.LogLevel == "" && t.session != nil && t.session.Info().Era == mcp.EraModern {
		op.request.LogLevel = t.session.Level() // a modern server is told with each call
	}
	var resumed *requestState
	if op.inputs.state != nil {
		if resumed, err = s.states.open(*op.inputs.state, t.principal, t.name, op.request); err != nil {
			return op.failed(&lateError{Err: err})
		}
		if resumed.Parked != "" {
			return s.unpark(ctx, op, t, resumed, resp)
		}
	}
	caps, err := op.inputs.capabilities(t, op.follower != nil)
	if err != nil {
		return err
	}
	if op.inputs.accept && caps != (mcp.Capabilities{}) || resumed != nil {
		return s.converse(ctx, op, t, caps, resumed, resp)
	}
	return s.execute(ctx, op, t, caps, resp)
}

// capabilities returns which questions this call's caller answers.
func (in inputs) capabilities(t target, streaming bool) (mcp.Capabilities, error) {
	asked := capabilitiesOf(in.answers)
	switch {
	case t.session != nil && in.answers == nil:
		return t.session.Capabilities(), nil
	case t.session != nil:
		declared := t.session.Capabilities()
		// The roots that were given are answered for, whoever makes the call.
		asked.Roots = asked.Roots || t.session.Roots() != nil
		if t.session.Info().Era == mcp.EraLegacy {
			asked = asked.Narrow(declared)
		}
		return asked, nil
	case in.answers == nil && in.accept:
		return everything(), nil
	case !in.accept && !streaming && asked != (mcp.Capabilities{}):
		return asked, &fieldError{Field: "answers", Problem: "on a server is for CallToolStream or accept_input_required: else nobody could answer"}
	}
	return asked, nil
}

// execute makes a call whose questions, if there are any, are answered while it
// lasts.
func (s *Service) execute(ctx context.Context, op *operation, t target, caps mcp.Capabilities, resp proto.Message) error {
	ctx, cancel, progress, err := s.bound(ctx, op.limit, t.preset)
	if err != nil {
		return err
	}
	defer cancel()
	op.request.Notify = onProgress(op.request.Notify, progress)
	on, release, err := s.checkOut(ctx, op, t, caps)
	if err != nil {
		return op.failed(err)
	}
	defer release()
	s.answerable(op, t, caps)
	if caps != (mcp.Capabilities{}) {
		defer s.dialogues.begin()()
	}
	out, err := op.on(ctx, on, func(ctx context.Context, session *pool.Live) error {
		result, err := session.Call(ctx, op.request)
		if err != nil {
			return err
		}
		follow(session, result)
		return s.seal(&op.call, resp, result, op.format)
	})
	announce(ctx, out)
	return err
}

// checkOut returns where a call that answers such questions goes. A legacy
// server is told at the beginning of a session what is answered in it, so on a
// server's name that is another session than for calls that answer nothing. A
// task would be left behind in it.
func (s *Service) checkOut(ctx context.Context, op *operation, t target, caps mcp.Capabilities) (pool.Target, func(), error) {
	if t.session != nil || caps == (mcp.Capabilities{}) {
		return t.Target, func() {}, nil
	}
	on, release, err := s.pool.CheckOut(ctx, t.Server().Name, t.principal, caps)
	if err == nil && op.request.Task != nil && t.Server().Era() == mcp.EraLegacy {
		release()
		return nil, nil, &connectFirstError{What: "a task of this server that may ask something"}
	}
	return on, release, err
}

// answerable says in the request who answers questions. It stays as it is where
// nobody does, which is what the session says by itself.
func (s *Service) answerable(op *operation, t target, caps mcp.Capabilities) {
	switch {
	case caps == (mcp.Capabilities{}) && (t.session == nil || t.session.Capabilities() == caps):
		return
	case caps == (mcp.Capabilities{}):
		op.request.Ask = nobody
	case op.follower != nil:
		op.request.Ask = withRoots(t, s.askFollower(op.follower, t))
	default:
		op.request.Ask = t.session.Ask
	}
	op.request.Capabilities = &caps
}
