package transport

import "fmt"

// write is the goroutine that writes stdin. It sends whatever has been queued
// meanwhile in one write, so that neither readers nor callers wait for the pipe.
func (c *stdioConn) write() {
	var batch []outgoing
	var joined []byte
	for {
		select {
		case <-c.exited:
			return
		case <-c.done:
			return
		case <-c.out.wake:
		}
		for batch = c.out.take(batch[:0]); len(batch) > 0; batch = c.out.take(batch[:0]) {
			var text []byte
			text, joined = join(batch, joined)
			if !c.writeBatch(batch, text) {
				return
			}
			clear(batch)
		}
	}
}

// join returns the text of a batch, which it puts together in scratch if the
// batch is more than one message, and scratch for the next time.
func join(batch []outgoing, scratch []byte) (text, _ []byte) {
	if len(batch) == 1 {
		return batch[0].line, scratch
	}
	scratch = scratch[:0]
	for _, m := range batch {
		scratch = append(scratch, m.line...)
	}
	return scratch, scratch
}

// writeBatch reports whether there may be another.
func (c *stdioConn) writeBatch(batch []outgoing, text []byte) bool {
	for _, m := range batch {
		if m.onSend != nil {
			m.onSend()
		}
	}
	n, err := c.proc.write(text, c.cfg.WriteTimeout)
	if err == nil {
		c.out.written(batch)
		return true
	}
	c.torn = c.out.broke(batch, n)
	c.lose(fmt.Errorf("write to stdio server: %w", err))
	return false
}
