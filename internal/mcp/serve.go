package mcp

import (
	"context"
	"errors"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// maxReplies bounds the answers to the server that are under way at once, so
// that a flood of pings costs the server more than us.
const maxReplies = 64

// codeUnanswered is the error that a server gets in place of an answer; it is
// the one of the specification's example of a rejected sampling request (spec
// 2025-11-25, client/sampling#error-handling).
const codeUnanswered = -1

// serve takes a request of the server's. Before the handshake is over only a
// ping is answered (spec 2025-11-25, basic/lifecycle#initialization). A modern
// server may send none (spec 2026-07-28, basic/index#messages), and gets no
// answer.
func (s *Session) serve(msg jsonrpc.Message, call int64) {
	e := s.era()
	switch {
	case e.kind() == EraModern:
		s.drop(msg)
	case msg.Method == methodPing:
		s.answer(msg, Answer{Result: []byte(`{}`)})
	case e.version() == "":
		s.drop(msg)
	case msg.Method == MethodSampling, msg.Method == MethodElicitation, msg.Method == MethodRoots:
		s.serveQuestion(msg, call)
	default:
		s.answer(msg, Answer{Error: undeclared(msg.Method)})
	}
}

func (s *Session) drop(msg jsonrpc.Message) {
	s.opts.Logger.Debug("request of the server dropped", "method", cut(msg.Method, 100))
}

// serveQuestion has a question answered, on a goroutine of its own.
func (s *Session) serveQuestion(msg jsonrpc.Message, call int64) {
	q := Question{Key: string(msg.ID), Method: msg.Method, Params: params(msg)}
	owner := s.asking(msg, call)
	ask := s.profile.Ask
	if owner != nil && owner.ask != nil {
		ask = owner.ask
	}
	if ask == nil {
		s.answer(msg, Answer{Error: undeclared(q.Method)})
		return
	}
	if refusal := s.answered(owner).refuse(q); refusal != nil {
		s.answer(msg, Answer{Error: refusal})
		return
	}
	ctx := context.Background()
	if owner != nil {
		ctx = owner.ctx
	}
	ctx, end := context.WithCancelCause(ctx)
	if err := s.questions.add(q.Key, end); err != nil {
		end(nil)
		s.refuseQuestion(msg, err)
		return
	}
	s.spawn(func() {
		select {
		case <-s.tr.Done():
			end(errSessionOver)
		case <-ctx.Done():
		}
	})
	asked := s.spawn(func() {
		defer end(nil)
		defer s.questions.remove(q.Key)
		s.fulfil(ctx, msg.ID, q, ask, owner)
	})
	if !asked {
		s.questions.remove(q.Key)
		end(errSessionOver)
	}
}

// asking returns the call that a question belongs to, nil if there is none.
func (s *Session) asking(msg jsonrpc.Message, call int64) *watched {
	w, named := s.ofTask(msg)
	switch {
	case w != nil && w.end != nil:
		return w
	case named && call == 0:
		return nil
	}
	return s.calls.asked(call)
}

// answered returns what may be asked during a call, or of the session if that is
// nil. What the call's caller does not answer was not declared, as far as the
// call goes.
func (s *Session) answered(call *watched) Capabilities {
	if call == nil || call.answers == nil {
		return s.profile.Capabilities
	}
	return s.profile.Capabilities.Narrow(*call.answers)
}

// params are a request's params, nil for null too.
func params(msg jsonrpc.Message) []byte {
	if rawjson.IsNull(msg.Params) {
		return nil
	}
	return msg.Params
}

// refuseQuestion answers a question that cannot be kept. One whose id is that of
// another gets no answer, which the server would take for the other's.
func (s *Session) refuseQuestion(msg jsonrpc.Message, err error) {
	if errors.Is(err, errSameID) {
		s.drop(msg)
		return
	}
	s.answer(msg, Answer{Error: &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}})
}

// fulfil asks a question and gives the server the answer. A call whose question
// nobody answers ends.
func (s *Session) fulfil(ctx context.Context, id jsonrpc.ID, q Question, ask Ask, owner *watched) {
	a, err := s.ask(ctx, ask, q)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errWithdrawn), errors.Is(cause, errSessionOver):
		// "The receiver of a cancellation notification SHOULD NOT send a response
		// for the cancelled request" (spec 2025-11-25, basic/utilities/cancellation).
		return
	case err == nil:
	case cause != nil:
		a.Error = &jsonrpc.Error{Code: codeUnanswered, Message: "the call that this belongs to is over"}
	default:
		s.opts.Logger.Debug("question of the server not answered", "method", q.Method, "error", err)
		if owner != nil {
			owner.end(requiring(owner.method, q))
		}
		a.Error = noAnswer(q.Method, err)
	}
	s.send(q.Method, id, a)
}

// answer answers a request of the server's without waiting.
func (s *Session) answer(msg jsonrpc.Message, a Answer) {
	if s.replies.Add(1) > maxReplies {
		s.replies.Add(-1)
		s.drop(msg)
		return
	}
	answered := s.spawn(func() {
		defer s.replies.Add(-1)
		s.send(msg.Method, msg.ID, a)
	})
	if !answered {
		s.replies.Add(-1)
	}
}

// send sends the server an answer.
func (s *Session) send(method string, id jsonrpc.ID, a Answer) {
	var body []byte
	if a.Error != nil {
		body = jsonrpc.AppendError(nil, id, a.Error)
	} else {
		body = jsonrpc.AppendResult(nil, id, a.Result)
	}
	tr := s.dialled()
	if tr == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.InitializeTimeout)
	defer cancel()
	err := tr.Send(ctx, &transport.Message{Body: body, Envelope: s.era().envelope("")})
	if err != nil {
		s.opts.Logger.Debug("answer to the server not delivered", "method", cut(method, 100), "error", err)
	}
}
