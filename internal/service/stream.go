package service

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/queue"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

type (
	callToolStream = grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]
	toolEvent      = mcpbridgev1.CallToolStreamResponse
)

// CallToolStream implements McpServiceServer.
func (s *Service) CallToolStream(req *mcpbridgev1.CallToolStreamRequest, stream callToolStream) error {
	op, err := s.toolOperation(req)
	if err != nil {
		return err
	}
	t, err := s.aim(stream.Context(), op)
	if err != nil {
		return err
	}
	// Before the stream begins, so that it is the RPC that is refused.
	if err := s.allowTool(stream.Context(), t.Server(), op.tool); err != nil {
		return err
	}
	if err := stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Ready{Ready: readyEvent(t.Status(), nil)}}); err != nil {
		return err
	}
	op.follower = newFollower(op.request, req, stream)
	if op.follower.level == 0 && t.session != nil {
		op.follower.level = levelOfWord(t.session.Level())
	}
	return op.follower.follow(func(ctx context.Context) (*mcpbridgev1.CallToolResponse, error) {
		resp := new(mcpbridgev1.CallToolResponse)
		if err := s.callTool(ctx, op, t, req, resp); err != nil {
			return nil, err
		}
		return resp, convert.Open(resp)
	})
}

// readyEvent is the first event of a stream.
func readyEvent(status pool.Status, uris []string) *mcpbridgev1.Ready {
	return &mcpbridgev1.Ready{State: stateOf(status.State), Generation: status.Generation, ResourceUris: uris}
}

// A follower sends the events of one call to its caller. It does so on a
// goroutine of its own, so that a caller who reads slowly fills its queue and
// holds up nobody.
type follower struct {
	stream callToolStream
	events *queue.Queue[callEvent]
	format convert.Format
	// level is the least severe log level that the caller wants.
	level mcpbridgev1.LoggingLevel
	// token is the caller's own progress token, nil if it gave none.
	token []byte

	// result is sent after the last event; nil if there is none. It is set
	// before the queue is closed.
	result *mcpbridgev1.CallToolResponse
	// sent is closed when everything has been sent or could not be, err is why.
	sent chan struct{}
	err  error
}

// A callEvent is a notification, or, if there is no method, what Own is.
type callEvent struct {
	jsonrpc.Message
	// Own is a *question or a withdrawal.
	Own any
}

// newFollower returns the follower of c, and has c tell it of what happens.
func newFollower(c *mcp.Call, req *mcpbridgev1.CallToolStreamRequest, stream callToolStream) *follower {
	f := &follower{
		stream: stream, events: queue.New[callEvent](queue.DefaultItems, queue.DefaultBytes),
		format: req.GetJsonFormat(), level: req.GetLogLevel(),
		token: rawjson.Get(c.Meta, "progressToken"), sent: make(chan struct{}),
	}
	c.Notify, c.Lost = f.add, f.events.Skip
	return f
}

// add takes a notification of the call. It never blocks.
func (f *follower) add(msg jsonrpc.Message) {
	msg = msg.CloneNotification()
	f.events.Add(callEvent{Message: msg}, len(msg.Method)+len(msg.Params))
}

// tell and untell make a follower an audience. Questions are never dropped: a
// caller that leaves too many of them unread loses its stream, and the call.

func (f *follower) tell(q *question)       { f.events.Keep(callEvent{Own: q}, len(q.Params)) }
func (f *follower) untell(over withdrawal) { f.events.Keep(callEvent{Own: over}, 0) }

// follow makes the call, sends what happens meanwhile and then its result. It
// returns what the RPC ends with.
func (f *follower) follow(call func(context.Context) (*mcpbridgev1.CallToolResponse, error)) error {
	ctx, cancel := context.WithCancelCause(f.stream.Context())
	defer cancel(nil)
	go f.run(cancel)
	defer f.events.Close(io.EOF) // also if the call panics
	resp, err := call(ctx)
	return f.finish(resp, err)
}

// run sends until there is nothing more to send. If the caller is gone, it
// cancels the call.
func (f *follower) run(cancel context.CancelCauseFunc) {
	defer close(f.sent)
	f.err = recovered(f.send)
	if f.err != nil {
		cancel(f.err)
	}
}

// slowCaller is how long a caller may take to read what is left when its call
// is over.
const slowCaller = 30 * time.Second

// finish sends the result of the call, if it has one, and waits until all is
// sent. It returns what the RPC ends with: of a call that failed, that failure,
// whatever has become of its events.
func (f *follower) finish(resp *mcpbridgev1.CallToolResponse, err error) error {
	if err == nil {
		f.result = resp
	}
	f.events.Close(io.EOF)
	timer := time.NewTimer(slowCaller)
	defer timer.Stop()
	select {
	case <-f.sent:
		return cmp.Or(err, f.err)
	case <-timer.C:
		return cmp.Or(err, error(&slowCallerError{Waited: slowCaller}))
	}
}

// send sends the events in order, and the result after them.
func (f *follower) send() error {
	for {
		// It ends with the queue, which is closed with the call.
		msg, dropped, err := f.events.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if dropped > 0 {
			gap := &mcpbridgev1.Gap{Dropped: dropped}
			if err := f.stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Gap{Gap: gap}}); err != nil {
				return err
			}
			continue
		}
		event, err := f.event(msg)
		if err != nil {
			return err
		}
		if event == nil {
			continue
		}
		if err := f.stream.Send(event); err != nil {
			return err
		}
	}
	if f.result == nil {
		return nil
	}
	return f.stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Result{Result: f.result}})
}

// event converts an event; nil if the caller does not want it.
func (f *follower) event(e callEvent) (*toolEvent, error) {
	switch own := e.Own.(type) {
	case *question:
		request, err := own.message(f.format)
		own.show()
		return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Request{Request: request}}, err
	case withdrawal:
		return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_RequestCancelled{RequestCancelled: own.message()}}, nil
	}
	switch m := noticeOf(e.Message, f.format, f.ownToken).(type) {
	case *mcpbridgev1.Progress:
		return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Progress{Progress: m}}, nil
	case *mcpbridgev1.LogMessage:
		if m.GetLevel() != 0 && m.GetLevel() < f.level {
			return nil, nil
		}
		return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Log{Log: m}}, nil
	}
	return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Notification{Notification: unknownNotice(e.Message)}}, nil
}

// ownToken puts the caller's progress token in the place of the bridge's.
func (f *follower) ownToken(params []byte) []byte {
	out := []byte{'{'}
	_ = rawjson.Object(params, func(key, v []byte) error {
		if string(key) == "progressToken" {
			if v = f.token; v == nil {
				return nil
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, key), ':')
		out = append(out, v...)
		return nil
	})
	return append(out, '}')
}
