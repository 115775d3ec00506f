package http1

import (
	"sync"
	"time"
)

// An idle pool holds the connections that carry no request, by address. The one
// that was used last is taken first, so that those which are not needed grow
// old. The zero value is empty.
type idle struct {
	mu    sync.Mutex // guards what follows
	conns map[string][]*conn
	// sweeper closes what is too old; nil while there is nothing to close.
	sweeper *time.Timer
}

// take removes and returns a connection, nil if there is none.
func (p *idle) take(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.conns[address]
	if len(conns) == 0 {
		return nil
	}
	last := len(conns) - 1
	c := conns[last]
	conns[last] = nil
	p.conns[address] = conns[:last]
	return c
}

// put adds a connection, unless there are too many, in which case it is closed.
func (p *idle) put(c *conn, most int, timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns[c.address]) >= most {
		c.close()
		return
	}
	if p.conns == nil {
		p.conns = make(map[string][]*conn)
	}
	c.since = time.Now()
	p.conns[c.address] = append(p.conns[c.address], c)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(timeout, func() { p.sweep(timeout) })
	}
}

// sweep closes the connections that have been idle for too long, and comes again
// while there are others.
func (p *idle) sweep(timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, oldest := time.Now(), time.Duration(0)
	for address, conns := range p.conns {
		old := 0
		for old < len(conns) && now.Sub(conns[old].since) >= timeout {
			conns[old].close()
			old++
		}
		if rest := append([]*conn(nil), conns[old:]...); len(rest) > 0 {
			p.conns[address] = rest
			oldest = max(oldest, now.Sub(rest[0].since))
		} else {
			delete(p.conns, address)
		}
	}
	p.sweeper = nil
	if len(p.conns) > 0 {
		p.sweeper = time.AfterFunc(timeout-oldest, func() { p.sweep(timeout) })
	}
}

func (p *idle) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conns := range p.conns {
		for _, c := range conns {
			c.close()
		}
	}
	clear(p.conns)
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
}
