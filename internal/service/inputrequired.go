package service

import (
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The members of a result that asks for input (spec 2026-07-28,
// basic/patterns/mrtr).
const (
	memberRequests = "inputRequests"
	memberState    = "requestState"
)

// stateOfResult reads the result of a server that asks for input.
func stateOfResult(result []byte) (*requestState, error) {
	st := &requestState{Questions: make(map[string]askedFor)}
	if raw := rawjson.Get(result, memberState); !rawjson.IsNull(raw) {
		st.Server = raw
	}
	requests := rawjson.Get(result, memberRequests)
	if rawjson.IsNull(requests) {
		return st, nil
	}
	err := rawjson.Object(requests, func(rawKey, v []byte) error {
		key := string(rawKey)
		method, err := rawjson.String(rawjson.Get(v, "method"))
		if err != nil {
			return fmt.Errorf("the method of %.100q: %w", key, err)
		}
		q := askedFor{Method: method}
		if params := rawjson.Get(v, "params"); !rawjson.IsNull(params) {
			q.Params = json.RawMessage(params)
		}
		st.Questions[key] = q
		return nil
	})
	if err != nil {
		return nil, &mcp.ResultError{Problem: err.Error()}
	}
	return st, nil
}

// inputRequired is what a caller gets to see of st, but for token and time. result
// is the server's own, nil if it gave none.
func inputRequired(st *requestState, result []byte, format convert.Format) (*mcpbridgev1.InputRequired, error) {
	out := &mcpbridgev1.InputRequired{Requests: make(map[string]*mcpbridgev1.InputRequest, len(st.Questions))}
	for key, q := range st.Questions {
		request, err := convert.Question(q.Method, q.Params, format)
		if err != nil {
			return nil, &mcp.ResultError{Problem: err.Error()}
		}
		out.Requests[key] = request
	}
	if result == nil {
		return out, nil
	}
	if err := convert.Into(out, without(result, memberRequests, memberState, "resultType"), format); err != nil {
		return nil, &mcp.ResultError{Problem: err.Error()}
	}
	return out, nil
}

// without returns an object without some of its members.
func without(object []byte, names ...string) []byte {
	out := []byte{'{'}
	_ = rawjson.Object(object, func(key, v []byte) error {
		if !slices.Contains(names, string(key)) {
			out = appendMember(out, string(key), v)
		}
		return nil
	})
	return append(out, '}')
}

// appendMember appends a member to an object that is still open.
func appendMember(dst []byte, key string, v []byte) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst = append(rawjson.AppendString(dst, key), ':')
	return append(dst, v...)
}

// inputDetail is the detail of the error of a call whose questions nobody
// answers; nil if it is too large for a status, or makes no sense.
func inputDetail(e *mcp.InputRequiredError) *mcpbridgev1.InputRequired {
	st, err := stateOfResult(e.Result)
	if err != nil {
		return nil
	}
	detail, err := inputRequired(st, e.Result, mcpbridgev1.JsonFormat_JSON_FORMAT_STRUCT)
	if err != nil || proto.Size(detail) > maxDetailBytes {
		return nil
	}
	return detail
}

// unanswered is the error of a call that cannot go on with the answers it got.
func unanswered(method string, st *requestState) error {
	requests := []byte{'{'}
	for key, q := range st.Questions {
		request := appendMember([]byte{'{'}, "method", rawjson.AppendString(nil, q.Method))
		if q.Params != nil {
			request = appendMember(request, "params", q.Params)
		}
		requests = appendMember(requests, key, append(request, '}'))
	}
	result := appendMember([]byte{'{'}, memberRequests, append(requests, '}'))
	return &mcp.InputRequiredError{Method: method, Result: append(result, '}')}
}

// accepted reports whether an answer is a person's consent.
func accepted(a mcp.Answer) bool {
	action, _ := rawjson.String(rawjson.Get(a.Result, "action"))
	return action == "accept"
}
