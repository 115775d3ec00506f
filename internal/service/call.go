package service

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A call is what the handlers of MCP calls have in common.
type call struct {
	// target is the request's.
	target string
	limit  limit
	// tool is the name of the tool that is called; empty for reads.
	tool string
	// group is the target that the caller named, of which target is that of the
	// member, and item what it asked for; empty if it named no group.
	group, member string
	item          item
}

// do finds the target and runs fn with an open session, within the time that
// the call may take. fn runs again where that can do no harm.
func (s *Service) do(ctx context.Context, c *call, fn func(context.Context, *pool.Live) error) (pool.Outcome, error) {
	t, err := s.target(ctx, c.target)
	if err != nil {
		return pool.Outcome{}, err
	}
	ctx, cancel, _, err := s.bound(ctx, c.limit, t.preset)
	if err != nil {
		return pool.Outcome{}, err
	}
	defer cancel()
	out, err := c.on(ctx, t, fn)
	announce(ctx, out)
	return out, err
}

// on runs fn with an open session of t.
func (c *call) on(ctx context.Context, t pool.Target, fn func(context.Context, *pool.Live) error) (pool.Outcome, error) {
	repeatable := c.tool == "" || slices.Contains(t.Server().Repeatable, c.tool)
	out, err := t.Do(ctx, repeatable, fn)
	return out, c.failed(err)
}

// failed says of an error which call it is of.
func (c *call) failed(err error) error {
	if err == nil {
		return nil
	}
	waits(err, c.target)
	return &callError{Target: c.target, Group: c.group, Member: c.member, Tool: c.tool != "", Err: c.ofMember(err)}
}

// announce tells the caller how its call came about.
func announce(ctx context.Context, out pool.Outcome) {
	if out.Reinitialized {
		setTrailer(ctx, metadata.Pairs(trailerReinitialized, "true"))
	}
}

// commit sends the header of the RPC, after which no client library and no
// proxy repeats it by itself (gRFC A6). It is called when the first byte of a
// tool call is about to go out.
func commit(ctx context.Context) func() {
	return func() {
		// It fails if the header is out or the RPC is over: both are fine.
		_ = grpc.SendHeader(ctx, nil)
	}
}

// seal converts a result into resp, which it takes over, and checks its size.
func (s *Service) seal(c *call, resp proto.Message, result *mcp.Result, format convert.Format) error {
	if tool, ok := resp.(*mcpbridgev1.CallToolResponse); ok && result.Task != nil {
		var err error
		tool.Task, err = c.taskMessage(result.Task, format)
		return err
	}
	if err := convert.Seal(resp, result.JSON, format); err != nil {
		return &mcp.ResultError{Problem: err.Error()}
	}
	if tool, ok := resp.(*mcpbridgev1.CallToolResponse); ok && result.OutputError != "" {
		tool.OutputValidationError = &result.OutputError
	}
	return s.checkSize(resp)
}

// eventBytes is what a stream wraps around a response.
const eventBytes = 16

// checkSize catches a response that the gRPC server would refuse to send,
// while it can still be said that the server has answered.
func (s *Service) checkSize(resp proto.Message) error {
	if n := proto.Size(resp) + eventBytes; n > s.opts.MaxSendBytes {
		return &responseSizeError{Bytes: n, Max: s.opts.MaxSendBytes}
	}
	return nil
}
