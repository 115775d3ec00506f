package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A webSocketConn is an open connection. Three goroutines belong to it: one
// reads, one writes, and one exchanges signs of life. Whichever of them notices
// that the connection is no more closes it, which ends the others.
type webSocketConn struct {
	*duplex

	cfg    *WebSocketConfig
	conn   *websocket.Conn
	socket *socket

	// pong holds what the server's last ping is to be answered with.
	pong    chan string
	workers sync.WaitGroup
}

func newWebSocketConn(cfg *WebSocketConfig, conn *websocket.Conn, s *socket, r Receiver) *webSocketConn {
	c := &webSocketConn{
		duplex: &duplex{
			stream: newStream(r, cfg.Limits.Depth, cfg.Logger, newNoise(cfg.Logger, cfg.NoisePerMinute)),
			out:    newOutbox(cfg.QueueMessages, cfg.QueueBytes),
			frame:  checkUTF8,
		},
		cfg: cfg, conn: conn, socket: s,
		pong: make(chan string, 1),
	}
	conn.SetReadLimit(c.limit())
	conn.SetPingHandler(c.pinged)
	s.upgraded(cfg.PingInterval + cfg.PongTimeout)
	c.workers.Go(c.read)
	c.workers.Go(c.write)
	c.workers.Go(c.keepAlive)
	return c
}

// checkUTF8 refuses what would end the connection for everybody: a server that
// "finds that the byte stream is not, in fact, a valid UTF-8 stream" must fail
// it (RFC 6455, 8.1).
func checkUTF8(msg []byte) ([]byte, error) {
	if !utf8.Valid(msg) {
		return nil, errors.New("message is not UTF-8")
	}
	return msg, nil
}

// limit is how large a message may be.
func (c *webSocketConn) limit() int64 {
	return min(c.cfg.Limits.MessageBytes, c.cfg.Limits.CallBytes)
}

// Close implements [Transport]. The server is told that this is the normal end,
// and given the time to say the same.
func (c *webSocketConn) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CloseTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() }) // which ends whatever is waited for
	defer stop()
	if c.finish(&Error{Kind: KindClosed}) {
		c.sayGoodbye(ctx)
	}
	c.workers.Wait()
	return nil
}

func (c *webSocketConn) sayGoodbye(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := c.conn.WriteControl(websocket.CloseMessage, goodbye, deadline); err != nil {
		c.cfg.Logger.Debug("WebSocket ends without goodbye", "error", err)
	}
}

// lose ends the transport with e, and the connection.
func (c *webSocketConn) lose(e *Error) {
	c.finish(e)
	_ = c.conn.Close() // it is given up in any case
}

// read is the goroutine that reads the connection. What still comes after the
// transport has ended is of no interest, but the server's goodbye is behind it.
func (c *webSocketConn) read() {
	for {
		text, err := c.next()
		switch {
		case err != nil:
			c.lose(c.readError(err))
			c.cfg.Logger.Debug("WebSocket ended", "error", err, "noise_messages", c.noise.total, "stray_responses", c.calls.stray.Load())
			return
		case !c.ended() && len(rawjson.Trim(text)) > 0:
			c.handle(text, c.drop)
		}
	}
}

// next returns the next message. The type of its frames does not matter: some
// servers send their text as binary.
func (c *webSocketConn) next() ([]byte, error) {
	_, r, err := c.conn.NextReader()
	if err != nil {
		return nil, err
	}
	return readBody(r, -1, c.limit())
}

// drop skips a message that is not MCP.
func (c *webSocketConn) drop(text []byte, err error) {
	if !c.noise.skip(text, err) {
		c.lose(&Error{Kind: KindProtocol, Err: c.noise.tooMuch()})
	}
}

// readError says what became of the connection.
func (c *webSocketConn) readError(err error) *Error {
	e := &Error{Kind: KindLost, Err: fmt.Errorf("read from WebSocket: %w", err)}
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		e.Kind, e.Err = KindLimit, fmt.Errorf("read from WebSocket: %w", &limitError{"a message", c.limit()})
	case errors.As(err, &closed):
		if closed.Code != websocket.CloseAbnormalClosure { // a code that is never sent
			e.Detail = detail([]byte(closed.Text))
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Err = fmt.Errorf("no sign of life from the WebSocket within %v", c.socket.silence)
	case isFraming(err):
		e.Kind = KindProtocol
	}
	return e
}

// isFraming reports whether err is how the library says that the server breaks
// RFC 6455. It has no type for it.
func isFraming(err error) bool { return strings.HasPrefix(err.Error(), "websocket: ") }

// write is the goroutine that writes messages.
func (c *webSocketConn) write() {
	var one []outgoing
	for {
		select {
		case <-c.done:
			return
		case <-c.out.wake:
		}
		for one = c.out.takeUpTo(one[:0], 0); len(one) > 0; one = c.out.takeUpTo(one[:0], 0) {
			if !c.writeMessage(one) {
				return
			}
			clear(one)
		}
	}
}

// writeMessage writes the one message of batch and reports whether there may be
// another.
func (c *webSocketConn) writeMessage(batch []outgoing) bool {
	m := batch[0]
	if m.onSend != nil {
		m.onSend()
	}
	before := c.socket.written.Load()
	// A large message to a slow but willing reader is given more time.
	patience := c.cfg.WriteTimeout * time.Duration(1+len(m.line)/writeBytes)
	err := c.conn.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		err = c.conn.WriteMessage(websocket.TextMessage, m.line)
	}
	if err == nil {
		c.out.written(batch)
		return true
	}
	// Frames have more bytes than the message, which was not written as a whole.
	c.out.broke(batch, min(int(c.socket.written.Load()-before), len(m.line)-1))
	c.lose(&Error{Kind: KindLost, Err: fmt.Errorf("write to WebSocket: %w", err)})
	return false
}
