package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// upgrade opens a connection on which the server has agreed to speak WebSocket
// and MCP. When ctx ends first, the error does not say why.
func (d *WebSocket) upgrade(ctx context.Context) (*websocket.Conn, *socket, error) {
	u := &upgrader{dialer: d}
	var exchange http.RoundTripper = u
	if d.cfg.Wrap != nil {
		exchange = d.cfg.Wrap(u)
	}
	at := *d.url
	at.Scheme = map[string]string{"ws": "http", "wss": "https"}[at.Scheme]
	req := (&http.Request{Method: http.MethodGet, URL: &at, Host: at.Host, Header: d.header}).WithContext(ctx)
	resp, err := exchange.RoundTrip(req) //nolint:bodyclose // the library has read it
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, nil, e
	}
	if err != nil {
		return nil, nil, upgradeError(nil, err)
	}
	if u.conn == nil {
		return nil, nil, upgradeError(resp, websocket.ErrBadHandshake)
	}
	if err := checkUpgrade(resp.Header); err != nil {
		_ = u.conn.Close()
		return nil, nil, &Error{Kind: KindProtocol, Status: resp.StatusCode, Err: fmt.Errorf("open WebSocket: %w", err)}
	}
	return u.conn, u.socket, nil
}

// An upgrader makes the HTTP exchange that a WebSocket begins with. It keeps the
// connection that comes of it.
type upgrader struct {
	dialer *WebSocket
	conn   *websocket.Conn
	socket *socket
}

// RoundTrip implements [http.RoundTripper].
func (u *upgrader) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	var s *socket
	stop := func() bool { return true }
	dialer := u.dialer.dialer
	dialer.NetDialContext = func(dialing context.Context, network, address string) (net.Conn, error) {
		c, err := u.dialer.cfg.DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		s = &socket{Conn: c, headLeft: responseHeaderBytes}
		// The library writes the request and reads the reply without an eye on ctx.
		stop = context.AfterFunc(ctx, func() { _ = c.Close() })
		return s, nil
	}
	conn, resp, err := dialer.DialContext(ctx, u.dialer.url.String(), req.Header)
	stop()
	switch {
	case err == nil:
		u.conn, u.socket = conn, s
	case resp == nil:
		return nil, err
	}
	return resp, nil
}

// checkUpgrade checks what the server has chosen. If the response "indicates the
// use of a subprotocol that was not present in the client's handshake", or of
// such an extension, "the client MUST Fail the WebSocket Connection" (RFC 6455,
// 4.1). Many servers choose no subprotocol.
func checkUpgrade(h http.Header) error {
	if p := h.Values("Sec-Websocket-Protocol"); len(p) > 1 || len(p) == 1 && p[0] != subprotocol {
		return fmt.Errorf("server chose the subprotocol %.80q", p)
	}
	if x := h.Values("Sec-Websocket-Extensions"); len(x) > 0 {
		return fmt.Errorf("server chose the extension %.80q, which was not offered", x)
	}
	return nil
}

// upgradeError says why there is no connection. resp is the server's reply, nil
// if there was none. Nothing of MCP has been sent.
func upgradeError(resp *http.Response, err error) *Error {
	wrapped := fmt.Errorf("open WebSocket: %w", err)
	if resp == nil {
		e := &Error{Kind: kindOf(err, KindUnreachable), Err: wrapped}
		if _, ok := errors.AsType[*limitError](err); ok {
			e.Kind = KindLimit
		}
		return e
	}
	// The library has read the start of the body.
	body, _ := io.ReadAll(resp.Body)
	e := statusError(resp, body)
	e.Delivery = NotSent
	if resp.StatusCode/100 < 3 {
		e.Kind = KindProtocol
	}
	if e.Err == nil {
		e.Err = wrapped
	}
	return e
}
