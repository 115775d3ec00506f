package transport

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// keepAlive is the goroutine that asks for signs of life and gives them. Its
// frames go out between those of a message that takes long to write: neither
// side has to take that for silence.
func (c *webSocketConn) keepAlive() {
	ping := time.NewTicker(c.cfg.PingInterval)
	defer ping.Stop()
	for {
		kind, data := websocket.PingMessage, ""
		select {
		case <-c.done:
			return
		case <-ping.C:
		case data = <-c.pong:
			kind = websocket.PongMessage
		}
		err := c.conn.WriteControl(kind, []byte(data), time.Now().Add(c.cfg.WriteTimeout))
		if err != nil {
			c.lose(&Error{Kind: KindLost, Err: fmt.Errorf("write to WebSocket: %w", err)})
			return
		}
	}
}

// pinged leaves the answer to a ping to keepAlive, because the reading goroutine
// must not wait for a server that does not read. Of several pings only the most
// recent one needs an answer (RFC 6455, 5.5.3).
func (c *webSocketConn) pinged(data string) error {
	select {
	case <-c.pong:
	default:
	}
	c.pong <- data // there is room: nobody else puts anything there
	return nil
}
