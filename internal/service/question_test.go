package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/queue"
)

// A crowd is an audience that keeps what it is told.
type crowd struct {
	absent  bool
	asked   []*question
	over    []withdrawal
	changed chan struct{}
}

func newCrowd() *crowd { return &crowd{changed: make(chan struct{}, 100)} }

func (c *crowd) tell(q *question) {
	c.asked = append(c.asked, q)
	if !c.absent {
		q.show()
	}
	c.changed <- struct{}{}
}

func (c *crowd) untell(over withdrawal) { c.over = append(c.over, over) }

var formQuestion = mcp.Question{
	Key: "1", Method: mcp.MethodElicitation, Params: []byte(`{"message":"m","requestedSchema":{"type":"object","properties":{"a":{"type":"string","default":"x"}}}}`),
}

func accept() *mcpbridgev1.InputResponse {
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
		Elicitation: &mcpbridgev1.ElicitationResponse{Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT},
	}}
}

func TestQuestionAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, to, alice := newQuestions(), newCrowd(), party{principal: "alice", target: "sessions/1"}
		answered := make(chan mcp.Answer, 1)
		go func() {
			a, err := r.ask(t.Context(), alice, to, time.Second, formQuestion)
			if err != nil {
				t.Error(err)
			}
			answered <- a
		}()
		<-to.changed
		id := to.asked[0].id
		if pending := r.pending("alice", "sessions/1"); len(pending) != 1 || pending[0].id != id {
			t.Errorf("%d questions are pending", len(pending))
		}
		time.Sleep(time.Minute) // somebody was told, so there is time
		var missing *requestNotFoundError
		for name, err := range map[string]error{
			"another principal": r.respond("bob", "sessions/1", id, accept(), 64),
			"another target":    r.respond("alice", "sessions/2", id, accept(), 64),
			"another id":        r.respond("alice", "sessions/1", "x", accept(), 64),
		} {
			if !errors.As(err, &missing) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var field *fieldError
		wrong := &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Roots{}}
		if err := r.respond("alice", "sessions/1", id, wrong, 64); !errors.As(err, &field) || field.Field != "response" {
			t.Errorf("an answer of another kind: %v", err)
		}
		if err := r.respond("alice", "sessions/1", id, accept(), 64); err != nil {
			t.Fatal(err)
		}
		if got := string((<-answered).Result); got != `{"action":"accept","content":{"a":"x"}}` {
			t.Errorf("the server gets %s", got)
		}
		if err := r.respond("alice", "sessions/1", id, accept(), 64); !errors.As(err, &missing) {
			t.Errorf("a second answer: %v", err)
		}
		if len(r.pending("alice", "sessions/1"))+len(r.count)+len(to.over) > 0 {
			t.Errorf("left over: %v, %v", r.count, to.over)
		}
	})
}

func TestQuestionUnanswered(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		absent bool
		limit  time.Duration
		want   error
		told   int
	}{
		"taken back":    {limit: time.Second, want: context.DeadlineExceeded, told: 1},
		"nobody there":  {absent: true, limit: time.Hour, want: mcp.ErrNobody, told: 1},
		"back in grace": {absent: true, limit: time.Second, want: context.DeadlineExceeded, told: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, to := newQuestions(), newCrowd()
				to.absent = tt.absent
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				_, err := r.ask(ctx, party{principal: "alice"}, to, 10*time.Second, formQuestion)
				if !errors.Is(err, tt.want) || len(to.over) != tt.told {
					t.Errorf("got %v, told of %d ends", err, len(to.over))
				}
				if len(r.waiting)+len(r.count) > 0 {
					t.Error("the question is still there")
				}
			})
		})
	}
}

// A question of a call that is followed is not one for whoever begins to watch
// meanwhile: it would be told of the question there, but not of its end.
func TestQuestionOfAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := newQuestions(), New(nil, Options{})
		s.questions = r
		f := &follower{events: queue.New[callEvent](queue.DefaultItems, queue.DefaultBytes)}
		ctx, cancel := context.WithCancel(t.Context())
		on := target{Target: atServer{}, principal: "alice", name: "servers/x"}
		go func() { _, _ = s.askFollower(f, on)(ctx, formQuestion) }()
		synctest.Wait()
		if len(r.waiting) != 1 || len(r.pending("alice", "servers/x")) != 0 {
			t.Errorf("%d of %d questions are told to watchers", len(r.pending("alice", "servers/x")), len(r.waiting))
		}
		cancel()
		synctest.Wait()
	})
}

// atServer is a target that is nothing but a server's.
type atServer struct{ pool.Target }

func (atServer) Server() *pool.Server { return new(pool.Server) }

func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, to := newQuestions(), newCrowd()
		ctx, cancel := context.WithCancel(t.Context())
		for range maxQuestions {
			go func() { _, _ = r.ask(ctx, party{principal: "alice"}, newCrowd(), time.Hour, formQuestion) }()
		}
		synctest.Wait()
		if _, err := r.ask(ctx, party{principal: "alice"}, to, time.Hour, formQuestion); !errors.Is(err, errTooManyQuestions) {
			t.Errorf("one more: %v", err)
		}
		bob, end := context.WithTimeout(ctx, time.Second)
		defer end()
		if _, err := r.ask(bob, party{principal: "bob"}, to, time.Hour, formQuestion); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one of another caller: %v", err)
		}
		cancel()
		synctest.Wait()
		if len(r.waiting)+len(r.count) > 0 {
			t.Errorf("%d questions are left", len(r.waiting))
		}
	})
}
