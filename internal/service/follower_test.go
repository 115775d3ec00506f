package service

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A stuckStream is one whose caller reads nothing until it is let go.
type stuckStream struct {
	grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]
	gone chan struct{}
}

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
