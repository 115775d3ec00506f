package http1

import (
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"
)

// TestStale closes connections while they are idle, in the ways of servers, and
// expects that the next request is not lost on them.
func TestStale(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(net.Conn){
		"closed":          func(c net.Conn) { _ = c.Close() },
		"told and closed": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n"); _ = c.Close() },
		"unasked data":    func(c net.Conn) { _, _ = io.WriteString(c, "hello?"); _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happened := make(chan struct{}, 2)
			url := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", func(c net.Conn) {
				time.Sleep(5 * time.Millisecond) // so that the client has it back in its pool
				defer func() { happened <- struct{}{} }()
				go then(c)
				time.Sleep(5 * time.Millisecond)
			})
			var tr Transport
			defer tr.CloseIdleConnections()
			for range 2 {
				sent := 0
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaders: func() { sent++ }})
				resp, err := tr.RoundTrip(newRequest(ctx, t, url, "x"))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if sent != 1 {
					t.Errorf("WroteHeaders was called %d times", sent)
				}
				<-happened
			}
		})
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	url, connections := echo(t)
	tr := Transport{IdlePerHost: 1, IdleTimeout: 20 * time.Millisecond}
	for range 2 {
		var bodies []io.ReadCloser
		for range 3 {
			resp, err := tr.RoundTrip(newRequest(t.Context(), t, url, "x"))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, resp.Body)
		}
		for _, b := range bodies {
			_, _ = io.Copy(io.Discard, b)
			_ = b.Close()
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			tr.idle.mu.Lock()
			left := len(tr.idle.conns)
			tr.idle.mu.Unlock()
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("an idle connection is kept for ever")
			}
		}
	}
	if n := connections.Load(); n != 6 {
		t.Errorf("%d connections, want 6: none may be kept for that long", n)
	}
}

// No connection is kept for longer than the idle timeout, whenever others were
// given back.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 90 * time.Second
		var p idle
		kept := func() net.Conn {
			ours, theirs := net.Pipe()
			p.put(newConn(new(Transport), "a", ours), 10, timeout)
			return theirs
		}
		closed := func(c net.Conn) bool {
			_ = c.SetReadDeadline(time.Now())
			_, err := c.Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
		first := kept()
		time.Sleep(timeout - time.Second)
		second := kept()
		time.Sleep(2 * time.Second)
		if synctest.Wait(); !closed(first) || closed(second) {
			t.Errorf("closed: %v, %v", closed(first), closed(second))
		}
		time.Sleep(timeout - 2*time.Second)
		if synctest.Wait(); !closed(second) {
			t.Error("the second is kept for longer than the first")
		}
		p.closeAll()
	})
}
