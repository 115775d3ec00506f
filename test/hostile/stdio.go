package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/mcpbridge/mcpbridge/test/peers/child"
)

// stdioMode is the part of a mode that only a process can have.
type stdioMode struct {
	// start runs before anything is read.
	start func(p *process)
	// frame turns a message into what is written for it, instead of adding a
	// line feed.
	frame func(message []byte) []byte
	// deafAfter names the messages after which nothing more is read.
	deafAfter func(s *server, m message) bool
	// end runs after the end of input.
	end func(p *process)
}

// process is a stdio server.
type process struct {
	server *server
	out    *lineOutlet
	stderr io.Writer
}

const childVariable = "MCPBRIDGE_TEST_HOSTILE"

// Command returns the command that runs a hostile server over stdio: this test
// binary once more. The package under test must call ServeIfChild in its
// TestMain.
func Command(t testing.TB, options Options) child.Command {
	t.Helper()
	return child.Self(t, childVariable, options)
}

// ServeIfChild makes a process that was started from a Command serve MCP on its
// stdin and stdout, and exits when its mode lets it. In any other process it
// returns at once. TestMain calls it before it runs any test.
func ServeIfChild() {
	child.Run(lingerVariable, linger)
	child.Run(childVariable, func(options Options) error {
		return Serve(options, os.Stdin, os.Stdout, os.Stderr)
	})
}

// Serve speaks MCP over in and out until in ends and the mode has done its worst.
// Some modes end the process instead of returning.
func Serve(options Options, in io.Reader, out, stderr io.Writer) (err error) {
	s, err := newServer(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if !s.mode.Stdio {
		return fmt.Errorf("mode %q does not exist over stdio", s.mode.Name)
	}
	p := &process{server: s, stderr: stderr}
	p.out = &lineOutlet{w: out, frame: s.mode.frame, bytewise: s.mode.bytewise}
	if s.mode.start != nil {
		s.mode.start(p)
	}
	err = p.read(bufio.NewReader(in))
	if s.mode.end != nil {
		s.mode.end(p)
	}
	return err
}

// read handles message after message until the end of input, which is no error.
func (p *process) read(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			m, parseErr := parse(line)
			if parseErr != nil {
				return parseErr // a client must write nothing else (spec, basic/transports#stdio)
			}
			p.dispatch(m)
			if deaf := p.server.mode.deafAfter; deaf != nil && deaf(p.server, m) {
				waitForDeath()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stdin: %w", err)
		}
	}
}

// dispatch handles m. What may take long does not keep the next message waiting.
func (p *process) dispatch(m message) {
	switch m.Method {
	case "tools/call", "subscriptions/listen":
		go p.server.serve(context.Background(), m, p.out)
	default:
		p.server.serve(context.Background(), m, p.out)
	}
}

// lineOutlet writes one message to a line.
type lineOutlet struct {
	frame    func([]byte) []byte // nil adds a line feed
	bytewise bool

	mu sync.Mutex // held while writing, so that messages do not mix
	w  io.Writer
}

func (o *lineOutlet) send(message []byte) error {
	if o.frame != nil {
		return o.raw(o.frame(message))
	}
	return o.raw(append(bytes.Clone(message), '\n'))
}

func (o *lineOutlet) raw(data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return writeTo(o.w, data, o.bytewise)
}

func (o *lineOutlet) hang(context.Context) {}

// writeTo writes data at once or byte by byte.
func writeTo(w io.Writer, data []byte, bytewise bool) error {
	step := len(data)
	if bytewise {
		step = 1
	}
	for len(data) > 0 {
		if _, err := w.Write(data[:step]); err != nil {
			return err
		}
		data = data[step:]
	}
	return nil
}
