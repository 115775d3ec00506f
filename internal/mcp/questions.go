package mcp

import (
	"context"
	"errors"
	"sync"
)

// maxQuestions bounds the questions of one session, and those of one result,
// that wait for an answer at once.
const maxQuestions = 64

var (
	errWithdrawn        = errors.New("the server took its question back")
	errSessionOver      = errors.New("the session is over")
	errSameID           = errors.New("a question of that id is being asked")
	errTooManyQuestions = errors.New("too many questions at once")
)

// questions are the requests of a legacy server that are being asked, by the
// JSON text of their ids.
type questions struct {
	// mu guards ends.
	mu   sync.Mutex
	ends map[string]context.CancelCauseFunc
}

// add registers a question whose asking end ends.
func (q *questions) add(id string, end context.CancelCauseFunc) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ends[id] != nil:
		return errSameID
	case len(q.ends) >= maxQuestions:
		return errTooManyQuestions
	case q.ends == nil:
		q.ends = make(map[string]context.CancelCauseFunc)
	}
	q.ends[id] = end
	return nil
}

func (q *questions) remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.ends, id)
}

// withdraw ends a question that the server does not ask any more, and reports
// whether it was being asked.
func (q *questions) withdraw(id []byte) bool {
	q.mu.Lock()
	end := q.ends[string(id)]
	q.mu.Unlock()
	if end == nil {
		return false
	}
	end(errWithdrawn)
	return true
}
