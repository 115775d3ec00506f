package transport

import (
	"errors"
	"fmt"
	"io"
)

// read is the goroutine that reads stdout. Once the transport has ended it
// reads on to no purpose, because a child that is stuck in a write would not
// notice that it should go.
func (c *stdioConn) read() {
	lines := newLineReader(c.proc.stdout, c.cfg.Limits)
	for !c.ended() {
		if line, err := lines.next(); err == nil {
			c.handle(line, c.drop)
		} else if !c.survive(err) {
			break
		}
	}
	_, _ = io.Copy(io.Discard, c.proc.stdout)
}

// survive does what err, the end of a line that is no line, calls for, and
// reports whether there may be another.
func (c *stdioConn) survive(err error) bool {
	if long, ok := errors.AsType[*longLineError](err); ok {
		if !c.calls.fail(long.call, &Error{Kind: KindLimit, Err: fmt.Errorf("read response: %w", err)}) {
			c.drop(nil, err)
		}
		return true
	}
	err = fmt.Errorf("read from stdio server: %w", err)
	if errors.Is(err, errEndlessLine) {
		c.abandon(&Error{Kind: KindLimit, Err: err})
	} else {
		c.lose(err)
	}
	return false
}

// drop skips a line that is no message. Servers print banners and warnings;
// one that does nothing else is no MCP server.
func (c *stdioConn) drop(line []byte, err error) {
	if !c.noise.skip(line, err) {
		c.abandon(&Error{
			Kind: KindProtocol, Detail: "STDOUT is not MCP",
			Err: fmt.Errorf("%w: more than %d other lines within a minute", ErrStdoutNotMCP, c.cfg.NoisePerMinute),
		})
	}
}
