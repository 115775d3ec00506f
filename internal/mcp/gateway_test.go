package mcp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A gateway makes a stdio server of each connection or stream that is opened to
// it. It passes on whatever comes, as it comes.
type gateway struct {
	t       testing.TB
	command peers.Command

	// mu guards what follows.
	mu       sync.Mutex
	children map[string]*gatewayChild // by session, over HTTP+SSE
	running  sync.WaitGroup
}

// overWebSocket serves command over WebSocket until the test ends and returns
// the URL.
func overWebSocket(t testing.TB, command peers.Command) string {
	g := &gateway{t: t, command: command}
	return "ws" + strings.TrimPrefix(g.listen(g.serveWebSocket), "http")
}

// overSSE serves command over HTTP+SSE until the test ends and returns the URL.
func overSSE(t testing.TB, command peers.Command) string {
	g := &gateway{t: t, command: command, children: make(map[string]*gatewayChild)}
	return g.listen(g.serveSSE)
}

func (g *gateway) listen(h nethttp.HandlerFunc) (url string) {
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		g.running.Add(1)
		defer g.running.Done()
		h(w, r)
	}))
	g.t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		g.running.Wait()
	})
	return srv.URL
}

func (g *gateway) serveWebSocket(w nethttp.ResponseWriter, r *nethttp.Request) {
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	child := g.start()
	defer child.stop()
	g.running.Go(func() {
		defer child.stop()
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			child.write(text)
		}
	})
	for {
		var message io.WriteCloser
		err := child.line(func(chunk []byte) (err error) {
			if message == nil {
				if message, err = conn.NextWriter(websocket.TextMessage); err != nil {
					return err
				}
			}
			_, err = message.Write(chunk)
			return err
		})
		if err != nil || message.Close() != nil {
			return
		}
	}
}

func (g *gateway) serveSSE(w nethttp.ResponseWriter, r *nethttp.Request) {
	if r.Method == nethttp.MethodPost {
		text, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		child := g.children[r.URL.Query().Get("session")]
		g.mu.Unlock()
		w.WriteHeader(nethttp.StatusAccepted)
		if child != nil {
			_ = nethttp.NewResponseController(w).Flush()
			child.write(text)
		}
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	child := g.start()
	defer child.stop()
	g.mu.Lock()
	session := strconv.Itoa(len(g.children))
	g.children[session] = child
	g.mu.Unlock()
	stop := context.AfterFunc(r.Context(), child.stop)
	defer stop()
	fmt.Fprintf(w, "event: endpoint\ndata: ?session=%s\n\n", session)
	for {
		_ = nethttp.NewResponseController(w).Flush()
		head := "data: "
		err := child.line(func(chunk []byte) error {
			_, err := w.Write(append([]byte(head), chunk...))
			head = ""
			return err
		})
		if err != nil {
			return
		}
		_, _ = io.WriteString(w, "\n")
	}
}

// A gatewayChild is a stdio server behind a gateway.
type gatewayChild struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	ended sync.Once

	mu sync.Mutex // guards in
	in io.WriteCloser
}

func (g *gateway) start() *gatewayChild {
	cmd := &exec.Cmd{Path: g.command.Path, Args: append([]string{g.command.Path}, g.command.Args...), Env: g.command.Env}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		g.t.Error(err)
	}
	return &gatewayChild{cmd: cmd, in: in, out: bufio.NewReader(out)}
}

// stop kills the child and whatever it has started.
func (c *gatewayChild) stop() {
	c.ended.Do(func() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		_ = c.cmd.Wait()
	})
}

func (c *gatewayChild) write(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.in.Write(append(text, '\n'))
}

// line passes the next line to yield, in chunks, since it may have no end.
func (c *gatewayChild) line(yield func(chunk []byte) error) error {
	for {
		chunk, err := c.out.ReadSlice('\n')
		if len(chunk) > 0 {
			if err := yield(chunk); err != nil {
				return err
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
