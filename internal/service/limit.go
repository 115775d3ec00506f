package service

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// The causes of a call's end that the caller's own context does not know of.
var (
	errBridgeTimeout  = errors.New("the longest time that the bridge allows for a call is over")
	errRequestTimeout = errors.New("the timeout of the request is over")
)

// A limit says how long a call may take.
type limit struct {
	// asked is the request's; nil if it has none.
	asked *durationpb.Duration
	// renew begins it anew with each progress of the call.
	renew bool
}

// bound bounds a call by what the caller asks for, preset or the default if it
// asks for nothing, and the longest time that the bridge allows. progress, if
// not nil, is to be called whenever the call makes progress.
func (s *Service) bound(
	ctx context.Context, l limit, preset time.Duration,
) (bounded context.Context, cancel context.CancelFunc, progress func(), err error) {
	most, cause := s.opts.MaxCallTimeout, errBridgeTimeout
	deadline, has := ctx.Deadline()
	span := most
	switch {
	case l.asked != nil:
		span = l.asked.AsDuration()
		if !l.asked.IsValid() || span <= 0 {
			return nil, nil, nil, &fieldError{Field: "timeout", Problem: "must be above 0"}
		}
		if span < most {
			cause = errRequestTimeout
		}
	case !has && preset > 0:
		span = preset
	case !has:
		span = s.opts.CallTimeout
	}
	if span >= most {
		span, l.renew = most, false
	}
	if l.renew {
		bounded, cancel, progress = renewable(ctx, span, most, cause)
		return bounded, cancel, progress, nil
	}
	if has && time.Until(deadline) <= span {
		return ctx, func() {}, nil, nil
	}
	bounded, cancel = context.WithTimeoutCause(ctx, span, cause)
	return bounded, cancel, nil, nil
}

// renewable returns a context that ends when progress was not called for span,
// or at last after most.
func renewable(ctx context.Context, span, most time.Duration, cause error) (bounded context.Context, cancel context.CancelFunc, progress func()) {
	outer, stop := context.WithTimeoutCause(ctx, most, errBridgeTimeout)
	inner, end := context.WithCancelCause(outer)
	timer := time.AfterFunc(span, func() { end(cause) })
	return inner, func() { timer.Stop(); end(nil); stop() }, func() {
		// A timer that has fired fires for the last time.
		if timer.Stop() {
			timer.Reset(span)
		}
	}
}

// onProgress returns notify, which may be nil, with a call of progress in front
// of it for notifications of that kind.
func onProgress(notify func(jsonrpc.Message), progress func()) func(jsonrpc.Message) {
	if progress == nil {
		return notify
	}
	return func(msg jsonrpc.Message) {
		if msg.Method == notificationProgress {
			progress()
		}
		if notify != nil {
			notify(msg)
		}
	}
}
