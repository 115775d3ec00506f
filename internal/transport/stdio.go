package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// ErrStdoutNotMCP is the cause of a [KindProtocol] error that ended a transport
// because the server used its standard output as a log.
var ErrStdoutNotMCP = errors.New("stdout is not MCP")

// StdioConfig says which program is an MCP server on its standard input and
// output, and how patient to be with it. Zero fields take the default.
type StdioConfig struct {
	// Command is the program: a path (a relative one starts from Dir), or a name
	// that is looked up in the PATH of the child's environment. There is no shell.
	Command string
	// Args are the arguments that follow the command.
	Args []string
	// Env holds entries KEY=VALUE that are set on top of HOME, LOGNAME, PATH,
	// SHELL, TERM and USER. Nothing else of our environment reaches the child.
	Env []string
	// Dir is the working directory. Empty: our own.
	Dir string

	// Limits bound what is read. On a shared stream only the answer itself can
	// be told to belong to a call, so an answer is bounded by the smaller of
	// MessageBytes and CallBytes, and a line over the larger one ends the
	// transport; what comes in between is not counted.
	Limits Limits
	// Logger gets what the server says beside MCP. Nil: nobody does.
	Logger *slog.Logger

	// StopGrace is how long Close waits after it has closed stdin, before
	// SIGTERM. Default 2 s.
	StopGrace time.Duration
	// TermGrace is how long Close waits after SIGTERM, before SIGKILL. Default 3 s.
	TermGrace time.Duration
	// WriteTimeout is how long a server may leave its stdin unread while there
	// is something to read, before it counts as stuck. Default 10 s.
	WriteTimeout time.Duration
	// NoisePerMinute is how many lines that are not MCP are skipped within a
	// minute; one more ends the transport. Default 100.
	NoisePerMinute int
	// QueueMessages and QueueBytes bound what waits to be written. Default 1024
	// messages and 64 MiB.
	QueueMessages int
	QueueBytes    int
}

// The defaults of [StdioConfig].
const (
	DefaultStopGrace      = 2 * time.Second
	DefaultTermGrace      = 3 * time.Second
	DefaultWriteTimeout   = 10 * time.Second
	DefaultNoisePerMinute = 100
	DefaultQueueMessages  = 1024
	DefaultQueueBytes     = 64 << 20
)

func (c StdioConfig) withDefaults() StdioConfig {
	c.Limits = c.Limits.WithDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&c.StopGrace, DefaultStopGrace)
	orDefault(&c.TermGrace, DefaultTermGrace)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.NoisePerMinute, DefaultNoisePerMinute)
	orDefault(&c.QueueMessages, DefaultQueueMessages)
	orDefault(&c.QueueBytes, DefaultQueueBytes)
	return c
}

func orDefault[T ~int | ~int64](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Stdio is the [Dialer] of a server that is a child process of ours. Each Dial
// starts a process of its own.
type Stdio struct{ cfg StdioConfig }

var _ Dialer = (*Stdio)(nil)

// NewStdio returns the dialer for cfg. It starts nothing.
func NewStdio(cfg StdioConfig) *Stdio { return &Stdio{cfg: cfg.withDefaults()} }

// Peer describes the child.
func (s *Stdio) Peer() Peer { return Peer{Transport: "stdio", Network: "pipe", Stream: true} }

// Dial starts the process. It fails with [KindUnreachable] if the command cannot
// be started; whether it speaks MCP only shows in the first round trip. The
// transport uses four goroutines until its process has ended.
func (s *Stdio) Dial(ctx context.Context, r Receiver) (Transport, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	type dialed struct {
		conn *stdioConn
		err  error
	}
	result := make(chan dialed)
	go func() {
		// The kernel takes the end of the thread that has started the child for our
		// own: see tie. This thread lives as long as the child, and costs none
		// beyond the one that waits in the kernel for the child's end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		proc, err := tracedStart(ctx, &s.cfg)
		if err != nil {
			result <- dialed{err: &Error{Kind: KindUnreachable, Err: fmt.Errorf("start stdio server: %w", err)}}
			return
		}
		conn := newStdioConn(&s.cfg, proc, r)
		result <- dialed{conn: conn}
		conn.supervise()
	}()
	d := <-result
	if d.err != nil {
		return nil, d.err
	}
	return d.conn, nil
}

// canceled is the error of a call whose context ended.
func canceled(ctx context.Context, d Delivery) *Error {
	return &Error{Kind: KindCanceled, Delivery: d, Err: context.Cause(ctx)}
}
