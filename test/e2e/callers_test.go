package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

const (
	callers        = 64
	callsPerCaller = 5
)

// testCallers lets many callers call at once, as many by gRPC as by REST, and
// checks that each gets its own answers.
func (f *frontend) testCallers(t *testing.T) {
	ways := map[string]func(ctx context.Context, message string) (*mcpbridgev1.CallToolResponse, error){
		"grpc": f.echoByGRPC,
		"rest": f.echoByREST,
	}
	ctx := bounded(t)
	var wg sync.WaitGroup
	for way, echo := range ways {
		for caller := range callers {
			wg.Go(func() {
				for call := range callsPerCaller {
					message := fmt.Sprintf("%s/%d/%d", way, caller, call)
					result, err := echo(ctx, message)
					if err != nil {
						t.Errorf("call %s: %v", message, err)
						return
					}
					if got, want := textOf(result), f.peer.echoed(message); got != want {
						t.Errorf("call %s got %q, want %q", message, got, want)
					}
				}
			})
		}
	}
	wg.Wait()
}

func (f *frontend) echoByGRPC(ctx context.Context, message string) (*mcpbridgev1.CallToolResponse, error) {
	args, err := structpb.NewStruct(map[string]any{"message": message})
	if err != nil {
		return nil, err
	}
	return f.grpc.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: "echo", Arguments: args})
}

func (f *frontend) echoByREST(ctx context.Context, message string) (*mcpbridgev1.CallToolResponse, error) {
	r, err := f.web.send(ctx, http.MethodPost, f.url("/tools/echo:call"), `{"arguments":`+echoArgs(message)+`}`)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, errors.New(string(r.body))
	}
	result := new(mcpbridgev1.CallToolResponse)
	return result, protojson.Unmarshal(r.body, result)
}
