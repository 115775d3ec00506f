package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// How much of a refusal is read, and how much of that is shown.
const (
	refusalBytes = 64 << 10
	shownBytes   = 400
)

// The bounds of what a Retry-After header may ask for.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 300 * time.Second
)

// refusal reads a reply whose status is not 2xx: a response with a JSON-RPC
// error if the body is one, an [*Error] otherwise.
func (c *httpCall) refusal(ctx context.Context, resp *http.Response) (*Response, error) {
	switch resp.StatusCode / 100 {
	case 1:
		return nil, c.breach(errors.New("reply switches protocols"))
	case 3:
		return nil, statusError(resp, nil)
	}
	body, err := io.ReadAll(io.LimitReader(&c.in, refusalBytes))
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	e := statusError(resp, body)
	id, rpc := rpcError(body, c.t.dialer.cfg.Limits.Depth)
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
	case c.session != nil && sessionLost(status, body, id, rpc) && (c.id != listenID || c.listened || rpc != nil):
		// A first GET may also end where the server knows of no GET at all.
		e.Kind, e.Delivery = KindSessionLost, NotSent
		c.t.lose(c.session, e)
	case rpc != nil && status != http.StatusTooManyRequests:
		return &Response{Error: rpc, Status: status}, nil
	}
	return nil, e
}

// statusError says what a status that is not 2xx means. body is the start of
// the reply's.
func statusError(resp *http.Response, body []byte) *Error {
	e := &Error{
		Kind: KindStatus, Delivery: Answered, Status: resp.StatusCode, Detail: detail(body),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	switch status := resp.StatusCode; {
	case status/100 == 3:
		e.Kind = KindRedirect
		e.Err = fmt.Errorf("redirect to %.200q is not followed", resp.Header.Get("Location"))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Challenge = resp.Header.Values("WWW-Authenticate")
	case status >= http.StatusInternalServerError:
		// It may come from a proxy whose server is still at work.
		e.Delivery = Unknown
	}
	return e
}

// sessionLost reports whether a request that carried a session id was refused
// because of it. 404 says so by the specification, but it is also the status
// of an unknown method. 400 counts only if all else agrees: the reply is about
// no request in particular, it speaks of the session, and is not about params.
func sessionLost(status int, body []byte, id jsonrpc.ID, rpc *jsonrpc.Error) bool {
	switch status {
	case http.StatusNotFound:
		return rpc == nil || rpc.Code != jsonrpc.CodeMethodNotFound
	case http.StatusBadRequest:
		return len(id) == 0 && (rpc == nil || rpc.Code != jsonrpc.CodeInvalidParams) &&
			bytes.Contains(bytes.ToLower(body), []byte("session"))
	}
	return false
}

// rpcError reads body as a JSON-RPC error response, with any id: the server may
// not have read ours. It returns nil unless the body says that it is JSON-RPC:
// objects with an "error" member are common in HTTP.
func rpcError(body []byte, depth int) (jsonrpc.ID, *jsonrpc.Error) {
	m, err := jsonrpc.Parse(body, depth)
	if err == nil && m.IsResponse() && m.Error != nil && string(rawjson.Get(body, "jsonrpc")) == `"2.0"` &&
		!rawjson.IsNull(rawjson.Get(rawjson.Get(body, "error"), "code")) {
		return m.ID, m.Error
	}
	return nil, nil
}

// detail returns the start of what the server said, as text.
func detail(body []byte) string {
	body = bytes.TrimSpace(body)
	return strings.ToValidUTF8(string(body[:min(len(body), shownBytes)]), "\ufffd")
}

// retryAfter reads the value of a Retry-After header, which is a number of
// seconds or a date; 0 if it is neither.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	wait := maxRetryAfter
	if strings.Trim(value, "0123456789") == "" {
		if n, err := strconv.ParseInt(value, 10, 32); err == nil {
			wait = time.Duration(n) * time.Second
		}
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	} else {
		return 0
	}
	return min(max(wait, minRetryAfter), maxRetryAfter)
}
