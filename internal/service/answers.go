package service

import (
	"context"
	"errors"
	"fmt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// capabilitiesOf returns what a caller declares that it answers; nil is nothing.
func capabilitiesOf(a *mcpbridgev1.Answers) mcp.Capabilities {
	return mcp.Capabilities{
		Sampling:        a.GetSampling() || a.GetSamplingTools() || a.GetSamplingContext(),
		SamplingTools:   a.GetSamplingTools(),
		SamplingContext: a.GetSamplingContext(),
		ElicitationForm: a.GetElicitationForm(),
		ElicitationURL:  a.GetElicitationUrl(),
		Roots:           a.GetRoots(),
	}
}

// everything is what a caller answers that takes questions as they come.
func everything() mcp.Capabilities {
	return mcp.Capabilities{
		Sampling: true, SamplingTools: true, SamplingContext: true, ElicitationForm: true, ElicitationURL: true, Roots: true,
	}
}

// answerTo checks that a response answers q, and makes MCP's answer of it. In a
// form that was filled in, members that are missing get their defaults. blocks
// is for [convert.Answer]. Its errors are of type [*fieldError], about field.
func answerTo(q mcp.Question, field string, r *mcpbridgev1.InputResponse, blocks bool, depth int) (mcp.Answer, error) {
	if e := r.GetError(); e != nil {
		refusal, err := refusalOf(e, depth)
		return mcp.Answer{Error: refusal}, inField(field+".error", err)
	}
	if want := kindFor(q.Method); r.GetResponse() != nil && kindOf(r) != want {
		return mcp.Answer{}, &fieldError{Field: field, Problem: fmt.Sprintf("must be %s, as was asked for, or error", want)}
	}
	result, err := convert.Answer(r, blocks, depth)
	if err == nil && r.GetElicitation() != nil {
		result, err = fillIn(q, r.GetElicitation(), result)
	}
	return mcp.Answer{Result: result}, inField(field, err)
}

// inField makes a field error of one of package convert's.
func inField(field string, err error) error {
	var inner *convert.FieldError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &inner):
		return &fieldError{Field: field, Problem: err.Error()}
	case inner.Path == "response": // the oneof has no name in the API
		return &fieldError{Field: field, Problem: inner.Err.Error()}
	}
	return &fieldError{Field: field + "." + inner.Path, Problem: inner.Err.Error()}
}

// fieldOf makes a field error of one of package convert's, whose path says it
// all.
func fieldOf(err error) error {
	var inner *convert.FieldError
	if errors.As(err, &inner) {
		return &fieldError{Field: inner.Path, Problem: inner.Err.Error()}
	}
	return err
}

// kindFor names the field of InputResponse that answers a method, kindOf the
// one that is set.

func kindFor(method string) string {
	switch method {
	case mcp.MethodSampling:
		return "sampling"
	case mcp.MethodElicitation:
		return "elicitation"
	case mcp.MethodRoots:
		return "roots"
	}
	return "unknown_json"
}

func kindOf(r *mcpbridgev1.InputResponse) string {
	switch r.GetResponse().(type) {
	case *mcpbridgev1.InputResponse_Sampling:
		return "sampling"
	case *mcpbridgev1.InputResponse_Elicitation:
		return "elicitation"
	case *mcpbridgev1.InputResponse_Roots:
		return "roots"
	}
	return "unknown_json"
}

// rejectedByUser is what an error without a code stands for (spec 2025-11-25,
// client/sampling#error-handling).
const rejectedByUser = -1

func refusalOf(e *mcpbridgev1.InputError, depth int) (*jsonrpc.Error, error) {
	data, err := convert.Value(e.GetData(), e.DataJson, depth)
	if err != nil {
		return nil, &convert.FieldError{Path: "data", Err: err}
	}
	refusal := &jsonrpc.Error{Code: e.GetCode(), Message: e.GetMessage(), Data: data}
	if refusal.Code == 0 {
		refusal.Code = rejectedByUser
	}
	if refusal.Message == "" {
		refusal.Message = "rejected"
	}
	return refusal, nil
}

// fillIn completes the answer to an elicitation and checks it against what was
// asked.
func fillIn(q mcp.Question, r *mcpbridgev1.ElicitationResponse, result []byte) ([]byte, error) {
	mode, content := convert.ElicitationMode(q.Params), rawjson.Get(result, "content")
	switch {
	case r.GetAction() != mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT:
		return result, nil
	case mode == "url" && content != nil:
		return nil, &convert.FieldError{Path: "elicitation.content", Err: errors.New("is for forms only")}
	case mode == "url":
		return result, nil
	case mode != "form":
		return nil, &convert.FieldError{Path: "elicitation.action", Err: errors.New("can only be to decline or to cancel: the mode of the question is not known")}
	case content == nil:
		content = []byte("{}")
	}
	content, err := mcp.CompleteForm(rawjson.Get(q.Params, "requestedSchema"), content)
	if err != nil {
		return nil, &convert.FieldError{Path: "elicitation.content", Err: err}
	}
	out := append([]byte(`{"action":"accept","content":`), content...)
	if meta := rawjson.Get(result, "_meta"); meta != nil {
		out = append(append(out, `,"_meta":`...), meta...)
	}
	return append(out, '}'), nil
}

// nobody answers the questions of a call whose caller wants none.
func nobody(context.Context, mcp.Question) (mcp.Answer, error) {
	return mcp.Answer{}, mcp.ErrNobody
}
