package mcp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

var (
	errAskTimeout = errors.New("no answer in time")
	errNoObject   = errors.New("the answer is not a JSON object")
)

// ask asks one question. A person who does not answer in time has dismissed the
// form; for the other questions there is only an error to be answered.
func (s *Session) ask(ctx context.Context, ask Ask, q Question) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.AskTimeout, errAskTimeout)
	defer cancel()
	a, err := ask(ctx, q)
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errAskTimeout):
		return late(q.Method), nil
	case err == nil && a.Error == nil && object(a.Result) == nil:
		return Answer{}, errNoObject
	}
	return a, err
}

// late is the answer to a question that nobody answered in time.
func late(method string) Answer {
	if method == MethodElicitation {
		return Answer{Result: []byte(`{"action":"cancel"}`)}
	}
	return Answer{Error: &jsonrpc.Error{Code: codeUnanswered, Message: errAskTimeout.Error()}}
}

// askAll asks questions at the same time, and returns the results in their
// order. When one has none, the others are not asked any more.
func (s *Session) askAll(ctx context.Context, ask Ask, questions []Question) ([]Answer, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	answers := make([]Answer, len(questions))
	var asking sync.WaitGroup
	for i, q := range questions {
		asking.Go(func() {
			a, err := s.ask(ctx, ask, q)
			if err == nil && a.Error != nil {
				err = a.Error
			}
			if err != nil {
				end(fmt.Errorf("ask %s: %w", q.Method, err))
			}
			answers[i] = a
		})
	}
	asking.Wait()
	return answers, context.Cause(ctx)
}

// noAnswer is what a legacy server is told of a question that was not answered.
func noAnswer(method string, err error) *jsonrpc.Error {
	if !errors.Is(err, ErrNobody) {
		return &jsonrpc.Error{Code: codeUnanswered, Message: "no answer was given"}
	}
	name := map[string]string{MethodSampling: "Sampling", MethodElicitation: "Elicitation", MethodRoots: "List roots"}[method]
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: name + " not supported"}
}

// undeclared refuses a request of the server's that it may not send.
func undeclared(method string) *jsonrpc.Error {
	return &jsonrpc.Error{
		Code: jsonrpc.CodeMethodNotFound, Message: "this client has not declared the capability for " + cut(method, 100),
	}
}

func malformed(problem string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: problem}
}

// refuse returns why a question may not be asked of a client that has declared
// c, nil if it may.
func (c Capabilities) refuse(q Question) *jsonrpc.Error {
	switch {
	case q.Method == MethodSampling && c.sampling():
		return c.refuseSampling(q.Params)
	case q.Method == MethodElicitation && (c.ElicitationForm || c.ElicitationURL):
		return c.refuseElicitation(q.Params)
	case q.Method == MethodRoots && c.Roots:
		if q.Params != nil && object(q.Params) == nil {
			return malformed("the params are not an object")
		}
		return nil
	}
	return undeclared(q.Method)
}

// refuseSampling: "The client MUST return an error if this field is provided but
// ClientCapabilities.sampling.tools is not declared" (spec 2025-11-25, schema,
// CreateMessageRequestParams.tools).
func (c Capabilities) refuseSampling(params []byte) *jsonrpc.Error {
	if messages := rawjson.Get(object(params), "messages"); len(messages) == 0 || messages[0] != '[' {
		return malformed("the params have no list of messages")
	}
	for _, member := range []string{"tools", "toolChoice"} {
		if !c.SamplingTools && !rawjson.IsNull(rawjson.Get(params, member)) {
			return malformed("this client has not declared the capability sampling.tools for " + member)
		}
	}
	return nil
}

// refuseElicitation: "Server sends an elicitation/create request with a mode not
// declared in client capabilities: -32602" (spec 2025-11-25,
// client/elicitation#error-handling). No mode means form.
func (c Capabilities) refuseElicitation(params []byte) *jsonrpc.Error {
	mode := "form"
	if raw := rawjson.Get(object(params), "mode"); !rawjson.IsNull(raw) {
		mode, _ = rawjson.String(raw)
	}
	_, noText := rawjson.String(rawjson.Get(object(params), "message"))
	_, noURL := rawjson.String(rawjson.Get(object(params), "url"))
	switch {
	case mode == "form" && !c.ElicitationForm, mode == "url" && !c.ElicitationURL, mode != "form" && mode != "url":
		return malformed("this client has not declared the elicitation mode " + cut(mode, 32))
	case noText != nil:
		return malformed("the params have no message")
	case mode == "form" && object(rawjson.Get(params, "requestedSchema")) == nil:
		return malformed("the params have no requestedSchema")
	case mode == "url" && noURL != nil:
		return malformed("the params have no url")
	}
	return nil
}
