package pool

import (
	"log/slog"
	"sync"
)

// A report is what is to be logged of an upstream.
type report struct {
	server  string
	changes []Change
	// opened: the server's circuit has.
	opened bool
}

func (r report) log(log *slog.Logger) {
	if r.opened {
		log.Warn("server failed too often, it is tried on trial only", "server", r.server)
	}
	for _, c := range r.changes {
		switch {
		case c.To == NeedsAuthorization: // the error may hold a URL that is for the caller alone
			log.Info("server wants a person's consent", "server", r.server)
		case c.Err != nil:
			log.Warn("server connection failed", "server", r.server, "from", c.From.String(), "to", c.To.String(), "error", c.Err)
		default:
			log.Debug("server connection changed", "server", r.server, "from", c.From.String(), "to", c.To.String())
		}
	}
}

// A journal keeps what happens while the pool is locked: a log may block.
type journal struct {
	mu sync.Mutex // guards what follows
	// open: the pool is locked by somebody who will log what is kept.
	open bool
	kept []report
}

// keep keeps the report if somebody will log it, which it says.
func (j *journal) keep(r report) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.open {
		j.kept = append(j.kept, r)
	}
	return j.open
}

func (j *journal) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open = true
}

// end returns what was kept.
func (j *journal) end() []report {
	j.mu.Lock()
	defer j.mu.Unlock()
	kept := j.kept
	j.open, j.kept = false, nil
	return kept
}

// lock locks mu for what may change upstreams, unlock logs how once it has
// unlocked mu.
func (p *Pool) lock() {
	p.mu.Lock()
	p.journal.begin()
}

func (p *Pool) unlock() {
	kept := p.journal.end()
	p.mu.Unlock()
	for _, r := range kept {
		r.log(p.opts.Logger)
	}
}
