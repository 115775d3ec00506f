package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// maxQuestions bounds the questions of one principal that wait for Respond.
const maxQuestions = 64

// A party is who is asked: whoever calls Respond as that principal with that
// target.
type party struct {
	principal, target string
	// blocks: the server takes more than one block as an answer to sampling.
	blocks bool
	// stream: it is asked on the stream of a call, and nowhere else.
	stream bool
}

// A question is one that waits for Respond.
type question struct {
	mcp.Question
	party
	id      string
	asked   time.Time
	expires time.Time
	// answer takes the answer; it has room for it.
	answer chan mcp.Answer
	// shown is closed when somebody has been told of the question.
	shown     chan struct{}
	closeOnce sync.Once
}

// show notes that somebody has been told.
func (q *question) show() { q.closeOnce.Do(func() { close(q.shown) }) }

// message is the event that tells of the question.
func (q *question) message(format convert.Format) (*mcpbridgev1.ServerRequest, error) {
	request, err := convert.Question(q.Method, q.Params, format)
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.ServerRequest{Id: q.id, Request: request, ExpireTime: timestamppb.New(q.expires)}, nil
}

// A withdrawal tells those who know of a question that it is over.
type withdrawal struct {
	id, reason string
}

func (w withdrawal) message() *mcpbridgev1.RequestCancelled {
	return &mcpbridgev1.RequestCancelled{Id: w.id, Reason: &w.reason}
}

// An audience is told of questions. Its methods must not block.
type audience interface {
	// tell: q is asked.
	tell(q *question)
	// untell: the question will not be answered any more.
	untell(w withdrawal)
}

// A requestNotFoundError says that there is no such question to answer.
type requestNotFoundError struct{ ID string }

func (e *requestNotFoundError) Error() string {
	return "no request that waits for an answer has this id"
}

var errTooManyQuestions = errors.New("too many questions wait for this caller's answers")

// questions are those that wait for Respond. It may be used concurrently.
type questions struct {
	// mu guards what follows.
	mu      sync.Mutex
	waiting map[string]*question
	// count is by principal.
	count map[string]int
}

func newQuestions() *questions {
	return &questions{waiting: make(map[string]*question), count: make(map[string]int)}
}

// ask asks a party and waits for its answer. If nobody has been told of the
// question after grace, there is nobody to answer it.
func (r *questions) ask(ctx context.Context, p party, to audience, grace time.Duration, asked mcp.Question) (mcp.Answer, error) {
	q := &question{
		Question: asked, party: p, id: rand.Text(), asked: time.Now(), expires: time.Now().Add(mcp.DefaultAskTimeout),
		answer: make(chan mcp.Answer, 1), shown: make(chan struct{}),
	}
	if deadline, ok := ctx.Deadline(); ok {
		q.expires = deadline
	}
	if err := r.add(q); err != nil {
		return mcp.Answer{}, err
	}
	to.tell(q)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	shown := q.shown
	for {
		select {
		case a := <-q.answer:
			return a, nil
		case <-shown:
			shown = nil
			timer.Stop()
		case <-timer.C:
			if r.take(q) {
				// It may still wait in a queue, and be told.
				to.untell(withdrawal{id: q.id, reason: "nobody was there to answer it"})
				return mcp.Answer{}, mcp.ErrNobody
			}
		case <-ctx.Done():
			if r.take(q) {
				to.untell(withdrawal{id: q.id, reason: whyOver(ctx)})
				return mcp.Answer{}, context.Cause(ctx)
			}
			return <-q.answer, nil // it came at the same moment
		}
	}
}

func whyOver(ctx context.Context) string {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return "it was not answered in time"
	}
	return "the server took it back, or the call it belongs to is over"
}

func (r *questions) add(q *question) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count[q.principal] >= maxQuestions {
		return errTooManyQuestions
	}
	r.count[q.principal]++
	r.waiting[q.id] = q
	return nil
}

// take takes a question out, and reports whether nobody had done so before.
func (r *questions) take(q *question) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[q.id] != q {
		return false
	}
	delete(r.waiting, q.id)
	if r.count[q.principal]--; r.count[q.principal] == 0 {
		delete(r.count, q.principal)
	}
	return true
}

// respond hands over the answer to a question of that principal and target. An
// answer that does not fit leaves the question open.
func (r *questions) respond(principal, target, id string, resp *mcpbridgev1.InputResponse, depth int) error {
	r.mu.Lock()
	q := r.waiting[id]
	r.mu.Unlock()
	if q == nil || q.principal != principal || q.target != target {
		return &requestNotFoundError{ID: id}
	}
	a, err := answerTo(q.Question, "response", resp, q.blocks, depth)
	if err != nil {
		return err
	}
	if !r.take(q) {
		return &requestNotFoundError{ID: id}
	}
	q.answer <- a
	return nil
}

// pending returns the questions of a principal and target that WatchEvents tells
// of, oldest first.
func (r *questions) pending(principal, target string) []*question {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*question
	for _, q := range r.waiting {
		if q.principal == principal && q.target == target && !q.stream {
			all = append(all, q)
		}
	}
	slices.SortFunc(all, func(a, b *question) int { return cmp.Or(a.asked.Compare(b.asked), cmp.Compare(a.id, b.id)) })
	return all
}
