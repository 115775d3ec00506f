// Package jsonrpc reads and writes JSON-RPC 2.0 messages without decoding what
// they carry: params, results and error data stay the JSON text that they are.
package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The error codes of JSON-RPC 2.0.
const (
	CodeParseError     = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternalError  = -32603
)

// ErrNotMessage is returned for JSON that is no JSON-RPC message.
var ErrNotMessage = errors.New("not a JSON-RPC message")

// A Message is one JSON-RPC message. Its byte slices alias the parsed text, unless
// that was a batch.
type Message struct {
	// ID is the raw id. It is empty for a notification, and for a response
	// whose id is null or missing.
	ID ID
	// Method is set for requests and notifications.
	Method string
	// Params is the text of the params, nil if absent.
	Params []byte
	// Result is the text of the result, nil if absent.
	Result []byte
	// Error is the error of a response, nil if absent or null.
	Error *Error
}

// IsRequest reports whether m expects a response.
func (m Message) IsRequest() bool { return m.Method != "" && len(m.ID) > 0 }

// IsNotification reports whether m is a notification.
func (m Message) IsNotification() bool { return m.Method != "" && len(m.ID) == 0 }

// IsResponse reports whether m answers a request.
func (m Message) IsResponse() bool { return m.Method == "" }

// CloneNotification returns a copy of a notification that does not hold on to
// the text that it was parsed from.
func (m Message) CloneNotification() Message {
	return Message{Method: strings.Clone(m.Method), Params: bytes.Clone(m.Params)}
}

// An ID is the JSON text of a message id: a number or a string. The text is
// kept so that an answer echoes it exactly.
type ID []byte

// Int returns the id as an integer. It is liberal, as peers are: 7, 7.0 and
// "7" are all 7.
func (id ID) Int() (int64, bool) {
	s := string(bytes.Trim(id, `"`))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

// An Error is a JSON-RPC error object as the peer sent it.
type Error struct {
	Code    int64
	Message string
	// Data is the JSON text of the data member, nil if absent.
	Data []byte
}

func (e *Error) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.Code, e.Message) }

// Parse checks b, which must hold exactly one JSON object nested no deeper than
// depth, and reads it as a message. A missing "jsonrpc" member is tolerated
// where the rest is unambiguous; of duplicate members the last wins.
func Parse(b []byte, depth int) (Message, error) {
	var r reader
	if err := rawjson.CheckMembers(b, depth, r.member); err != nil {
		return Message{}, err
	}
	return r.message()
}

// ParseAll is Parse for text that may also be a batch, an array of messages
// (spec 2025-03-26, basic#batching); it calls yield for each in order. A member
// of a batch that is no message is passed to bad, the others still count. The
// messages of a batch have memory of their own: one reader's must not be another's.
func ParseAll(b []byte, depth int, yield func(Message), bad func(error)) error {
	var r reader
	if err := rawjson.CheckMembers(b, depth, r.member); err != nil {
		return err
	}
	if b = rawjson.Trim(b); b[0] != '[' {
		m, err := r.message()
		if err == nil {
			yield(m)
		}
		return err
	}
	return rawjson.Array(b, func(v []byte) error {
		if m, err := read(bytes.Clone(v)); err != nil {
			bad(err)
		} else {
			yield(m)
		}
		return nil
	})
}

func read(v []byte) (Message, error) {
	var r reader
	if v[0] == '{' {
		err := rawjson.Object(v, func(key, v []byte) error { r.member(key, v); return nil })
		if err != nil {
			return Message{}, err
		}
	}
	return r.message()
}

// A reader keeps the texts of a message's members until all of it is known to be
// JSON.
type reader struct{ id, method, params, result, err []byte }

func (r *reader) member(key, v []byte) {
	switch string(key) {
	case "id":
		r.id = v
	case "method":
		r.method = v
	case "params":
		r.params = v
	case "result":
		r.result = v
	case "error":
		r.err = v
	}
}

func (r *reader) message() (m Message, err error) {
	m.Params, m.Result = r.params, r.result
	if r.id != nil {
		m.ID, err = readID(r.id)
	}
	if r.method != nil && err == nil {
		m.Method, err = rawjson.String(r.method)
	}
	if r.err != nil && err == nil {
		m.Error, err = ReadError(r.err)
	}
	if err != nil {
		return Message{}, err
	}
	if m.Method == "" && m.Result == nil && m.Error == nil {
		return Message{}, ErrNotMessage
	}
	return m, nil
}

func readID(v []byte) (ID, error) {
	switch c := v[0]; {
	case c == 'n':
		return nil, nil
	case c == '"', c == '-', c >= '0' && c <= '9':
		return ID(v), nil
	}
	return nil, fmt.Errorf("%w: id %.20q is neither a number nor a string", ErrNotMessage, v)
}

// ReadError reads an error object, from text that has passed [rawjson.Check]; nil
// for null. It is as liberal as peers need it: the code may be a string or a
// number with a fraction, and an error of another type is kept as data.
func ReadError(v []byte) (*Error, error) {
	switch v[0] {
	case 'n':
		return nil, nil
	case '{':
	default:
		return &Error{Code: CodeInternalError, Message: "malformed error", Data: v}, nil
	}
	e := new(Error)
	err := rawjson.Object(v, func(key, v []byte) (err error) {
		switch string(key) {
		case "code":
			e.Code, _ = ID(v).Int()
		case "message":
			if e.Message, err = rawjson.String(v); err != nil {
				e.Message, err = string(v), nil
			}
		case "data":
			e.Data = v
		}
		return err
	})
	return e, err
}

// AppendRequest appends a request with an integer id. params is JSON text; nil
// leaves the member out.
func AppendRequest(dst []byte, id int64, method string, params []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = strconv.AppendInt(dst, id, 10)
	return appendCall(dst, method, params)
}

// AppendNotification appends a notification.
func AppendNotification(dst []byte, method string, params []byte) []byte {
	return appendCall(append(dst, `{"jsonrpc":"2.0"`...), method, params)
}

func appendCall(dst []byte, method string, params []byte) []byte {
	dst = append(dst, `,"method":`...)
	dst = rawjson.AppendString(dst, method)
	if params != nil {
		dst = append(dst, `,"params":`...)
		dst = append(dst, params...)
	}
	return append(dst, '}')
}

// AppendResult appends the successful response to the request with that id.
func AppendResult(dst []byte, id ID, result []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":`...)
	dst = append(dst, result...)
	return append(dst, '}')
}

// AppendError appends the response that refuses the request with that id.
func AppendError(dst []byte, id ID, e *Error) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"error":{"code":`...)
	dst = strconv.AppendInt(dst, e.Code, 10)
	dst = append(dst, `,"message":`...)
	dst = rawjson.AppendString(dst, e.Message)
	if e.Data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.Data...)
	}
	return append(dst, `}}`...)
}
