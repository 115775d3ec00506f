package convert

import (
	"errors"
	"fmt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The methods of the questions that InputRequest has fields for.
const (
	methodSampling    = "sampling/createMessage"
	methodElicitation = "elicitation/create"
	methodRoots       = "roots/list"
)

// Question converts a question of a server: its MCP method, and the text of its
// params, nil for none. params must have passed [rawjson.Check].
func Question(method string, params []byte, format Format) (*mcpbridgev1.InputRequest, error) {
	object := params
	if rawjson.IsNull(object) {
		object = []byte("{}")
	}
	switch method {
	case methodSampling:
		m := new(mcpbridgev1.SamplingRequest)
		err := Into(m, object, format)
		return &mcpbridgev1.InputRequest{Request: &mcpbridgev1.InputRequest_Sampling{Sampling: m}}, err
	case methodElicitation:
		m := new(mcpbridgev1.ElicitationRequest)
		err := Into(m, byMode(object), format)
		return &mcpbridgev1.InputRequest{Request: &mcpbridgev1.InputRequest_Elicitation{Elicitation: m}}, err
	case methodRoots:
		m := new(mcpbridgev1.RootsRequest)
		err := Into(m, object, format)
		return &mcpbridgev1.InputRequest{Request: &mcpbridgev1.InputRequest_Roots{Roots: m}}, err
	}
	m := &mcpbridgev1.UnknownInputRequest{Method: method}
	if params != nil {
		text := string(params)
		m.ParamsJson = &text
	}
	return &mcpbridgev1.InputRequest{Request: &mcpbridgev1.InputRequest_Unknown{Unknown: m}}, nil
}

// ElicitationMode returns the mode of the params of an elicitation; those from
// before 2025-11-25 have none and mean the form.
func ElicitationMode(params []byte) string {
	mode := rawjson.Get(params, "mode")
	if mode == nil {
		return "form"
	}
	word, _ := rawjson.String(mode)
	return word
}

// byMode gathers the members that belong to the mode of an elicitation into one
// of the mode's name, as the message has them. A mode that the message does not
// know stays as it is, and ends up in extra.
func byMode(params []byte) []byte {
	mode := ElicitationMode(params)
	if mode != "form" && mode != "url" {
		return params
	}
	var outer, inner []textMember
	_ = rawjson.Object(params, func(key, v []byte) error {
		member := textMember{string(key), v}
		switch name := member.name; {
		case name == "mode":
		case mode == "form" && name == "requestedSchema", mode == "url" && (name == "url" || name == "elicitationId"):
			inner = append(inner, member)
		default:
			outer = append(outer, member)
		}
		return nil
	})
	return appendMembers(nil, append(outer, textMember{mode, appendMembers(nil, inner)}))
}

// Answer returns the MCP result that a response to a question stands for. It
// says nothing of whether that is what was asked for. blocks allows more than
// one block of content in the answer to sampling, as servers do from 2025-11-25
// on. A response that is an error has no result: nil.
//
// Its errors are of type [*FieldError].
func Answer(r *mcpbridgev1.InputResponse, blocks bool, depth int) ([]byte, error) {
	switch kind := r.GetResponse().(type) {
	case *mcpbridgev1.InputResponse_Sampling:
		text, err := samplingAnswer(kind.Sampling, blocks, depth)
		return text, within("sampling", err)
	case *mcpbridgev1.InputResponse_Elicitation:
		text, err := elicitationAnswer(kind.Elicitation, depth)
		return text, within("elicitation", err)
	case *mcpbridgev1.InputResponse_Roots:
		text, err := rootsAnswer(kind.Roots, depth)
		return text, within("roots", err)
	case *mcpbridgev1.InputResponse_UnknownJson:
		text, err := Object(nil, &kind.UnknownJson, depth)
		return text, within("unknown_json", err)
	case *mcpbridgev1.InputResponse_Error:
		return nil, nil
	}
	return nil, &FieldError{Path: "response", Err: errRequired}
}

var errRequired = errors.New("is required")

func samplingAnswer(m *mcpbridgev1.SamplingResponse, blocks bool, depth int) ([]byte, error) {
	switch n := len(m.GetContent()); {
	case m.GetModel() == "":
		return nil, &FieldError{Path: "model", Err: errRequired}
	case n == 0:
		return nil, &FieldError{Path: "content", Err: errRequired}
	case n > 1 && !blocks:
		return nil, &FieldError{Path: "content", Err: errors.New("this server takes no more than one block")}
	}
	var members []textMember
	if m.GetRole() == mcpbridgev1.Role_ROLE_UNSPECIFIED {
		members = append(members, textMember{"role", []byte(`"assistant"`)})
	}
	members, err := textMembers(members, m.ProtoReflect(), depth)
	if err != nil {
		return nil, err
	}
	for i := range members {
		// A single block is written without a list around it, which servers of
		// every revision read.
		if members[i].name == "content" && len(m.GetContent()) == 1 {
			members[i].text = rawjson.Trim(members[i].text[1 : len(members[i].text)-1])
		}
	}
	return appendMembers(nil, members), nil
}

func elicitationAnswer(m *mcpbridgev1.ElicitationResponse, depth int) ([]byte, error) {
	accepted := m.GetAction() == mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT
	switch {
	case m.GetAction() == mcpbridgev1.ElicitationAction_ELICITATION_ACTION_UNSPECIFIED:
		return nil, &FieldError{Path: "action", Err: errRequired}
	case !accepted && (m.GetContent() != nil || m.ContentJson != nil):
		return nil, &FieldError{Path: "content", Err: errors.New("is for the action accept only")}
	}
	return Text(m, depth)
}

func rootsAnswer(m *mcpbridgev1.RootsResponse, depth int) ([]byte, error) {
	if err := checkRoots(m.GetRoots()); err != nil {
		return nil, err
	}
	return Text(m, depth)
}

// Roots returns the text of the array that roots/list answers with.
//
// Its errors are of type [*FieldError].
func Roots(roots []*mcpbridgev1.Root, depth int) ([]byte, error) {
	text, err := rootsAnswer(&mcpbridgev1.RootsResponse{Roots: roots}, depth)
	return rawjson.Get(text, "roots"), err
}

func checkRoots(roots []*mcpbridgev1.Root) error {
	for i, root := range roots {
		if root.GetUri() == "" {
			return &FieldError{Path: fmt.Sprintf("roots[%d].uri", i), Err: errRequired}
		}
	}
	return nil
}
