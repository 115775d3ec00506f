package transport

import "iter"

// httpCalls are the calls of a session that are pending, by id. Most sessions
// have one at a time, for which there is no map. The zero value is empty.
type httpCalls struct {
	one  *httpCall
	more map[int64]*httpCall
}

// get returns the call with that id, nil if there is none.
func (p *httpCalls) get(id int64) *httpCall {
	if p.one != nil && p.one.id == id {
		return p.one
	}
	return p.more[id]
}

// add adds a call whose id no other has.
func (p *httpCalls) add(c *httpCall) {
	switch {
	case p.one == nil:
		p.one = c
	case p.more == nil:
		p.more = map[int64]*httpCall{c.id: c}
	default:
		p.more[c.id] = c
	}
}

func (p *httpCalls) remove(c *httpCall) {
	if p.one == c {
		p.one = nil
		return
	}
	delete(p.more, c.id)
}

func (p *httpCalls) len() int {
	if p.one != nil {
		return 1 + len(p.more)
	}
	return len(p.more)
}

func (p *httpCalls) all() iter.Seq[*httpCall] {
	return func(yield func(*httpCall) bool) {
		if p.one != nil && !yield(p.one) {
			return
		}
		for _, c := range p.more {
			if !yield(c) {
				return
			}
		}
	}
}
