package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/queue"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A stuckStream is one whose caller reads nothing until it is let go.
type stuckStream struct {
	grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]
	gone chan struct{}
}

func (s stuckStream) Context() context.Context { return context.Background() }

func (s stuckStream) Send(*mcpbridgev1.CallToolStreamResponse) error {
	<-s.gone
	return errors.New("gone")
}

// A caller that does not read is given up, but never told less than the truth
// about its call.
func TestFollowerGivesUp(t *testing.T) {
	t.Parallel()
	failure := errors.New("the call failed")
	for name, result := range map[string]error{"a result": nil, "a failure": failure} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream := stuckStream{gone: make(chan struct{})}
				f := newFollower(mcp.CallTool("x", nil), new(mcpbridgev1.CallToolStreamRequest), stream)
				f.add(jsonrpc.Message{Method: "notifications/progress", Params: []byte(`{"progress":1}`)})
				go f.run(func(error) {})
				err := f.finish(new(mcpbridgev1.CallToolResponse), result)
				var slow *slowCallerError
				if errors.Is(err, failure) != (result != nil) || errors.As(err, &slow) != (result == nil) {
					t.Errorf("got %v", err)
				}
				close(stream.gone)
				<-f.sent
			})
		})
	}
}

// A lateStream is one whose caller reads nothing until begin is closed.
type lateStream struct {
	stuckStream
	begin chan struct{}
	sent  *int
}

func (s lateStream) Send(*mcpbridgev1.CallToolStreamResponse) error {
	<-s.begin
	*s.sent++
	return nil
}

// A server that asks and takes back without end fills nobody's memory: the call
// of a caller who does not read ends.
func TestFollowerOfManyQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		stream := lateStream{begin: make(chan struct{}), sent: &sent}
		f := newFollower(mcp.CallTool("x", nil), new(mcpbridgev1.CallToolStreamRequest), stream)
		r := newQuestions()
		err := f.follow(func(ctx context.Context) (*mcpbridgev1.CallToolResponse, error) {
			for range 1000 {
				asking, takeBack := context.WithCancel(ctx)
				go func() { _, _ = r.ask(asking, party{principal: "alice"}, f, watchGrace, formQuestion) }()
				synctest.Wait()
				takeBack()
				synctest.Wait()
			}
			close(stream.begin)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		if v := judge((&call{}).failed(err)); v.reason != mcpbridgev1.Reason_REASON_SLOW_CONSUMER || v.delivery != transport.Answered || sent > queue.DefaultItems+1 {
			t.Errorf("after %d events: %v", sent, err)
		}
	})
}
