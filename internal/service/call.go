package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// The causes of a call's end that the caller's own context does not know of.
var (
	errBridgeTimeout  = errors.New("the longest time that the bridge allows for a call is over")
	errRequestTimeout = errors.New("the timeout of the request is over")
)

// A call is what the handlers of MCP calls have in common.
type call struct {
	// target is the request's.
	target string
	// timeout is the request's; nil if it has none.
	timeout *durationpb.Duration
	// tool is the name of the tool that is called; empty for reads.
	tool string
}

// do finds the target and runs fn with an open session, within the time that
// the call may take. fn runs again where that can do no harm.
func (s *Service) do(ctx context.Context, c call, fn func(context.Context, *pool.Live) error) (pool.Outcome, error) {
	if err := required("target", c.target); err != nil {
		return pool.Outcome{}, err
	}
	target, preset, err := s.target(ctx, c.target)
	if err != nil {
		return pool.Outcome{}, err
	}
	if c.tool != "" {
		if err := s.allowTool(ctx, target.Server(), c.tool); err != nil {
			return pool.Outcome{}, err
		}
	}
	ctx, cancel, err := s.limit(ctx, c.timeout, preset)
	if err != nil {
		return pool.Outcome{}, err
	}
	defer cancel()
	repeatable := c.tool == "" || slices.Contains(target.Server().Repeatable, c.tool)
	out, err := target.Do(ctx, repeatable, fn)
	if out.Reinitialized {
		setTrailer(ctx, metadata.Pairs(trailerReinitialized, "true"))
	}
	if err != nil {
		waits(err, c.target)
		return out, &callError{Target: c.target, Tool: c.tool != "", Err: err}
	}
	return out, nil
}

// limit bounds a call by what the caller asks for, the default if it asks for
// nothing, and the longest time that the bridge allows.
func (s *Service) limit(ctx context.Context, asked *durationpb.Duration, preset time.Duration) (context.Context, context.CancelFunc, error) {
	limit, cause := s.opts.MaxCallTimeout, errBridgeTimeout
	deadline, bounded := ctx.Deadline()
	switch {
	case asked != nil:
		d := asked.AsDuration()
		if !asked.IsValid() || d <= 0 {
			return nil, nil, &fieldError{Field: "timeout", Problem: "must be above 0"}
		}
		if d < limit {
			limit, cause = d, errRequestTimeout
		}
	case !bounded && preset > 0:
		limit = min(limit, preset)
	case !bounded:
		limit = min(limit, s.opts.CallTimeout)
	}
	if bounded && time.Until(deadline) <= limit {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause)
	return ctx, cancel, nil
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
func (s *Service) seal(resp proto.Message, result []byte, format convert.Format) error {
	if err := convert.Seal(resp, result, format); err != nil {
		return &mcp.ResultError{Problem: err.Error()}
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
