//go:build unix

package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The environment of a child that the tests start.
const (
	childModeEnv    = "MCPBRIDGE_TEST_CHILD"
	childJournalEnv = "MCPBRIDGE_TEST_JOURNAL"
)

// runChild is the main function of a child: a server that does what its mode,
// and then the method of each request, says.
func runChild(mode string) int {
	switch mode {
	case "serve":
	case "sleep": // a grandchild: lives until it is killed
		time.Sleep(time.Hour)
	case "deaf": // never reads its stdin
		time.Sleep(time.Hour)
	case "parent": // has a child of its own, whose id it tells
		return parent()
	case "stubborn": // heeds neither the end of stdin nor SIGTERM
		signal.Ignore(syscall.SIGTERM)
		defer time.Sleep(time.Hour)
	case "banner": // speaks unasked
		fmt.Println(`{"jsonrpc":"2.0","method":"notifications/hello"}`)
	case "stderr": // writes 64 MiB to stderr before it serves
		line := strings.Repeat("e", 1023) + "\n"
		for range 64 << 10 {
			_, _ = os.Stderr.WriteString(line)
		}
	case "mirror": // answers as cheaply as it can
		return mirror(bufio.NewReaderSize(os.Stdin, 1<<16), bufio.NewWriter(os.Stdout))
	case "babble": // writes log lines to stdout for ever
		for {
			if _, err := fmt.Println("INFO: working"); err != nil {
				return 0
			}
		}
	}
	c := &childServer{in: bufio.NewReader(os.Stdin)}
	return c.serve()
}

// parent starts a child that does not heed the end of its stdin, and then
// neither ends it nor itself.
func parent() int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	tr, err := NewStdio(StdioConfig{Command: self, Env: []string{childModeEnv + "=deaf"}}).Dial(context.Background(), ignore)
	if err != nil {
		return 1
	}
	fmt.Println(tr.(*stdioConn).proc.cmd.Process.Pid)
	time.Sleep(time.Hour)
	return 0
}

// mirror answers every request of ours with its own params, for benchmarks.
func mirror(in *bufio.Reader, out *bufio.Writer) int {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0
		}
		head, params, _ := bytes.Cut(line, []byte(`,"method":"echo","params":`))
		_, _ = out.Write(head)
		_, _ = out.WriteString(`,"result":`)
		_, _ = out.Write(params)
		if in.Buffered() == 0 && out.Flush() != nil {
			return 0
		}
	}
}

type childServer struct {
	in      *bufio.Reader
	mu      sync.Mutex // guards writes to stdout
	journal *os.File
}

type childRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

func (c *childServer) serve() int {
	if name := os.Getenv(childJournalEnv); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 1
		}
		c.journal = f
	}
	for {
		line, err := c.in.ReadBytes('\n')
		if err != nil {
			return 0
		}
		var req childRequest
		if json.Unmarshal(line, &req) != nil {
			fmt.Fprintf(os.Stderr, "bad line %q\n", line)
			return 3
		}
		c.handle(req, line)
	}
}

func (c *childServer) handle(req childRequest, line []byte) {
	switch req.Method {
	case "echo":
		c.reply(req, req.Params)
	case "line": // what was received, as a string
		text, _ := json.Marshal(string(line))
		c.reply(req, text)
	case "later": // answers in no particular order
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { c.reply(req, req.Params) })
	case "journal": // notes the call before it answers
		_, _ = fmt.Fprintf(c.journal, "%s\n", bytes.Trim(req.Params, `" `))
		c.reply(req, req.Params)
	case "raw":
		c.raw(req)
	case "env":
		text, _ := json.Marshal(os.Environ())
		c.reply(req, text)
	case "spawn":
		c.spawn(req)
	case "last": // answers, and that was it
		c.reply(req, req.Params)
		os.Exit(0)
	case "exit":
		fmt.Fprint(os.Stderr, "loading\nTraceback: out of cheese\n")
		os.Exit(7)
	case "close-stdout":
		_ = os.Stdout.Close()
	case "close-stdin":
		_ = os.Stdin.Close()
		c.reply(req, []byte("null"))
		time.Sleep(time.Hour)
	case "endless":
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
				os.Exit(0)
			}
		}
	}
}

func (c *childServer) reply(req childRequest, result []byte) {
	c.write(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", req.ID, result))
}

func (c *childServer) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = os.Stdout.Write(b)
}

// A rawAnswer has the child write Text, in which # stands for the id.
type rawAnswer struct {
	Text   []byte `json:"text"`
	Pieces bool   `json:"pieces"` // byte by byte
}

func (c *childServer) raw(req childRequest) {
	var a rawAnswer
	_ = json.Unmarshal(req.Params, &a)
	text := bytes.ReplaceAll(a.Text, []byte("#"), req.ID)
	if !a.Pieces {
		c.write(text)
		return
	}
	for i := range text {
		c.write(text[i : i+1])
	}
}

// spawn starts a process that inherits the pipes, in this process group or in a
// session of its own, and answers with its id.
func (c *childServer) spawn(req childRequest) {
	self, _ := os.Executable()
	cmd := &exec.Cmd{
		Path: self, Env: []string{childModeEnv + "=sleep"},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: string(req.Params) == `"setsid"`},
	}
	if err := cmd.Start(); err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error())
		os.Exit(1)
	}
	c.reply(req, fmt.Appendf(nil, "%d", cmd.Process.Pid))
}
