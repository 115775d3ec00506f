package service

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A parkedTest is a call that asks each of its questions in turn.
type parkedTest struct {
	table *parkedCalls
	call  *parkedCall
	// ended is how the call's context ended.
	ended chan error
}

func park(t *testing.T, questions ...string) parkedTest {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	p := parkedTest{table: newParkedCalls(), ended: make(chan error, 1)}
	p.call = p.table.begin("alice", time.Minute, cancel)
	go func() {
		result := "done"
		for _, key := range questions {
			a, err := p.call.ask(ctx, mcp.Question{Key: key, Method: mcp.MethodElicitation})
			if err != nil {
				p.ended <- context.Cause(ctx)
				p.call.end(ending{err: err})
				return
			}
			result += " " + string(a.Result)
		}
		p.call.end(ending{result: &mcp.Result{JSON: []byte(result)}})
		<-ctx.Done()
		p.ended <- context.Cause(ctx)
	}()
	return p
}

func (p parkedTest) next(ctx context.Context) (*ending, *openQuestions, error) {
	a := newAttendant(nil)
	p.call.attend(a)
	return p.call.next(ctx, a)
}

func (p parkedTest) answer(key, text string) error {
	return p.call.answer([]string{key}, func(_ string, _ mcp.Question, ok bool) (mcp.Answer, error) {
		if !ok {
			return mcp.Answer{}, errStateLost
		}
		return mcp.Answer{Result: []byte(text)}, nil
	})
}

// keys returns the keys of questions in their order.
func keys(questions *openQuestions) string {
	if questions == nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(questions.byKey)), " ")
}

func TestParkedCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := park(t, "a", "b")
		for _, key := range []string{"a", "b"} {
			e, questions, err := p.next(t.Context())
			if e != nil || err != nil || keys(questions) != key {
				t.Fatalf("got %v, %v, %v", e, questions, err)
			}
			if p.table.find(p.call.id) != p.call {
				t.Fatal("the call is not found")
			}
			time.Sleep(50 * time.Second) // each round has its own time
			if err := p.answer(key, key); err != nil {
				t.Fatal(err)
			}
			if err := p.answer(key, "twice"); err != nil {
				t.Errorf("an RPC that is repeated: %v", err)
			}
		}
		if err := p.answer("c", "c"); !errors.Is(err, errStateLost) {
			t.Errorf("an answer to no question: %v", err)
		}
		e, _, err := p.next(t.Context())
		if err != nil || string(e.result.JSON) != "done a b" {
			t.Errorf("got %v, %v", e, err)
		}
		if p.table.find(p.call.id) != nil || len(p.table.count) > 0 {
			t.Error("the call is still there")
		}
		p.call.cancel(nil)
	})
}

func TestParkedCallExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := park(t, "a", "b")
		if _, questions, err := p.next(t.Context()); keys(questions) != "a" || err != nil {
			t.Fatal(questions, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if p.table.find(p.call.id) != nil {
			t.Error("the call is still there")
		}
		if e := p.call.ending; string(e.result.JSON) != `done {"action":"cancel"} {"action":"cancel"}` {
			t.Errorf("the call ended with %v", e)
		}
		if err := <-p.ended; !errors.Is(err, errParkedExpired) {
			t.Errorf("the call was cancelled for %v", err)
		}
		if len(p.table.calls)+len(p.table.count) > 0 {
			t.Error("something is left")
		}
	})
}

// A caller that leaves before it knows how to come back takes its call with it.
func TestParkedCallLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		cancelled, cancel := context.WithCancelCause(context.Background())
		p := parkedTest{table: newParkedCalls()}
		p.call = p.table.begin("alice", time.Minute, cancel)
		go func() {
			<-cancelled.Done()
			p.call.end(ending{err: context.Cause(cancelled)})
		}()
		leave(gone)
		if e, _, err := p.next(ctx); err != nil || !errors.Is(e.err, gone) {
			t.Errorf("got %v, %v", e, err)
		}
	})
}

// One that knows finds it again, also while another RPC of its own waits.
func TestParkedCallFoundAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := park(t, "a")
		if _, _, err := p.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.call.mu.Lock()
		open := p.call.open
		p.call.open = map[string]*parkedQuestion{} // as if it were answered, and the tool took its time
		p.call.mu.Unlock()
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		leave(gone)
		if _, _, err := p.next(ctx); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		first := make(chan error, 1)
		go func() {
			_, _, err := p.next(t.Context())
			first <- err
		}()
		synctest.Wait()
		go func() {
			time.Sleep(time.Second)
			open["a"].answer <- mcp.Answer{Result: []byte("late")}
		}()
		e, _, err := p.next(t.Context())
		if err != nil || string(e.result.JSON) != "done late" {
			t.Errorf("got %v, %v", e, err)
		}
		if err := <-first; !errors.Is(err, errTakenOver) {
			t.Errorf("the RPC before got %v", err)
		}
		p.call.cancel(nil)
	})
}

// Several questions at once may be answered one by one.
func TestParkedCallWithManyQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := parkedTest{table: newParkedCalls()}
		p.call = p.table.begin("alice", time.Minute, cancel)
		answers := make(chan string, 3)
		for i, key := range []string{"a", "b", "c"} {
			go func() {
				limited, done := context.WithTimeout(ctx, time.Duration(i+1)*time.Minute)
				defer done()
				a, err := p.call.ask(limited, mcp.Question{Key: key, Method: mcp.MethodElicitation})
				if err != nil {
					t.Error(err)
				}
				answers <- string(a.Result)
			}()
		}
		synctest.Wait()
		began := time.Now()
		for _, round := range []struct {
			want, answer string
			until        time.Duration
		}{{"a b c", "b", time.Minute}, {"a c", "a", time.Minute}, {"c", "c", 3 * time.Minute}} {
			_, questions, err := p.next(t.Context())
			if err != nil || keys(questions) != round.want || questions.until.Sub(began) != round.until {
				t.Fatalf("got %v, %v, want %s", questions, err, round.want)
			}
			if err := p.answer(round.answer, round.answer); err != nil {
				t.Fatal(err)
			}
			if got := <-answers; got != round.answer {
				t.Errorf("the server gets %s", got)
			}
		}
		p.call.end(ending{result: &mcp.Result{}})
		if e, _, err := p.next(t.Context()); e == nil || err != nil {
			t.Error(err)
		}
		cancel(nil)
	})
}

func TestParkedCallsAreBounded(t *testing.T) {
	t.Parallel()
	table := newParkedCalls()
	var quota *pool.QuotaError
	var last *parkedCall
	for range maxParkedPerPrincipal {
		last = table.begin("alice", time.Minute, func(error) {})
		if err := table.enroll(last); err != nil {
			t.Fatal(err)
		}
	}
	more := table.begin("alice", time.Minute, func(error) {})
	if err := table.enroll(more); !errors.As(err, &quota) {
		t.Errorf("one more: %v", err)
	}
	if err := table.enroll(table.begin("bob", time.Minute, nil)); err != nil {
		t.Errorf("one of another caller: %v", err)
	}
	table.remove(last)
	table.remove(last)
	if err := table.enroll(more); err != nil {
		t.Errorf("in the place of one that is over: %v", err)
	}
}

// A server may ask and answer in one breath: the question then comes when the
// call is over, and must not bring it back.
func TestParkedCallAskedAfterItsEnd(t *testing.T) {
	t.Parallel()
	for name, questions := range map[string][]string{"never parked": nil, "parked before": {"a"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := park(t, questions...)
				for _, key := range questions {
					if _, _, err := p.next(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := p.answer(key, key); err != nil {
						t.Fatal(err)
					}
				}
				if e, _, err := p.next(t.Context()); e == nil || err != nil {
					t.Fatal(e, err)
				}
				a, err := p.call.ask(t.Context(), mcp.Question{Key: "late", Method: mcp.MethodElicitation})
				if err != nil || string(a.Result) != `{"action":"cancel"}` {
					t.Errorf("the server gets %s, %v", a.Result, err)
				}
				if len(p.table.calls)+len(p.table.count) > 0 {
					t.Error("the call is in the table for ever")
				}
				p.call.cancel(nil)
			})
		})
	}
}

// A question that comes too late does not take away a result that an RPC may
// still ask for.
func TestParkedCallKeepsItsResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := park(t, "a")
		if _, _, err := p.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.answer("a", "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := p.call.ask(t.Context(), mcp.Question{Key: "late", Method: mcp.MethodElicitation}); err != nil {
			t.Error(err)
		}
		if p.table.find(p.call.id) != p.call {
			t.Error("the call is not found")
		}
		if e, _, err := p.next(t.Context()); err != nil || string(e.result.JSON) != "done a" {
			t.Errorf("got %v, %v", e, err)
		}
		p.call.cancel(nil)
	})
}

// Who answers in time finds the call, however little time was left.
func TestParkedCallAnsweredLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := park(t, "a", "b")
		if _, _, err := p.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if err := p.answer("a", "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Nanosecond)
		if _, questions, err := p.next(t.Context()); keys(questions) != "b" || err != nil || p.table.find(p.call.id) == nil {
			t.Errorf("got %v, %v", questions, err)
		}
		p.call.cancel(nil)
		p.call.expire()
		synctest.Wait()
	})
}
