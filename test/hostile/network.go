package hostile

import (
	"net"
	"net/http"
	"time"
)

// dribble is the time between two bytes of slow headers.
const dribble = 20 * time.Millisecond

// networkModes write to the connection under HTTP.
func networkModes() []mode {
	return []mode{
		{
			Mode:     httpOnly("reset", "runs a call and resets the connection"),
			httpMode: httpMode{post: executing(hijacked(reset))},
		},
		{
			Mode:     httpOnly("hang-up", "runs a call and closes the connection in the middle of the status line"),
			httpMode: httpMode{post: executing(hijacked(func(_ *handlerHTTP, c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 2")) }))},
		},
		{
			Mode:     httpOnly("slow-headers", "runs a call and sends headers byte by byte, without end"),
			httpMode: httpMode{post: executing(hijacked(slowHeaders))},
		},
		{
			Mode:     httpOnly("endless-headers", "runs a call and sends headers as fast as it can, without end"),
			httpMode: httpMode{post: executing(hijacked(endlessHeaders))},
		},
	}
}

// hijacked returns an answer that has the bare connection to itself and closes
// it in the end. The end of the test closes it too.
func hijacked(
	answer func(h *handlerHTTP, connection net.Conn),
) func(*handlerHTTP, http.ResponseWriter, *http.Request, message) {
	return func(h *handlerHTTP, w http.ResponseWriter, _ *http.Request, _ message) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		answered := make(chan struct{})
		h.active.Go(func() {
			select {
			case <-h.quit:
			case <-answered:
			}
			_ = connection.Close()
		})
		defer close(answered)
		answer(h, connection)
	}
}

// reset makes the close of the connection a TCP reset.
func reset(_ *handlerHTTP, connection net.Conn) {
	_ = connection.(*net.TCPConn).SetLinger(0)
}

const headersHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

func slowHeaders(h *handlerHTTP, connection net.Conn) {
	ticker := time.NewTicker(dribble)
	defer ticker.Stop()
	data := []byte(headersHead + "X-Slow: ")
	for {
		next := []byte("s")
		if len(data) > 0 {
			next, data = data[:1], data[1:]
		}
		if _, err := connection.Write(next); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-h.quit:
			return
		}
	}
}

func endlessHeaders(_ *handlerHTTP, connection net.Conn) {
	endless(func(data []byte) error {
		_, err := connection.Write(append(data, "\r\nX-More: "...))
		return err
	}, headersHead+"X-First: ")
}
