package pool

import "time"

const (
	tombstoneLife = 10 * time.Minute
	maxTombstones = 10_000
)

// A tombstone remembers for a while whose session expired.
type tombstone struct {
	principal string
	until     time.Time
}

// tombstones are those of the sessions that expired lately. The zero value is
// ready for use, by one goroutine at a time.
type tombstones struct {
	byID map[string]tombstone
	// order is that in which they were put up; all stand for the same time.
	order []string
}

// add puts one up; the oldest goes if there are too many.
func (t *tombstones) add(id, principal string, now time.Time) {
	if t.byID == nil {
		t.byID = make(map[string]tombstone)
	}
	if len(t.order) >= maxTombstones {
		t.removeOldest()
	}
	t.byID[id] = tombstone{principal: principal, until: now.Add(tombstoneLife)}
	t.order = append(t.order, id)
}

// of reports whether that session was the principal's, and has expired.
func (t *tombstones) of(id, principal string) bool {
	stone, ok := t.byID[id]
	return ok && stone.principal == principal
}

// clear removes those whose time is over.
func (t *tombstones) clear(now time.Time) {
	for len(t.order) > 0 && now.After(t.byID[t.order[0]].until) {
		t.removeOldest()
	}
}

func (t *tombstones) removeOldest() {
	delete(t.byID, t.order[0])
	t.order = t.order[1:]
}
