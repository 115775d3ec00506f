package service

import (
	"cmp"
	"context"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
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
	c, err := s.toolCall(req)
	if err != nil {
		return err
	}
	target, _, err := s.target(stream.Context(), req.GetTarget())
	if err != nil {
		return err
	}
	// Before the stream begins, so that it is the RPC that is refused.
	if err := s.allowTool(stream.Context(), target.Server(), req.GetName()); err != nil {
		return err
	}
	status := target.Status()
	ready := &mcpbridgev1.Ready{State: stateOf(status.State), Generation: status.Generation}
	if err := stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Ready{Ready: ready}}); err != nil {
		return err
	}
	f := newFollower(c, req, stream)
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	go f.run(cancel)
	defer f.events.Close(io.EOF) // also if the call panics
	resp, err := s.callTool(ctx, c, req)
	if err == nil {
		err = convert.Open(resp)
	}
	return f.finish(resp, err)
}

// A follower sends the events of one call to its caller. It does so on a
// goroutine of its own, so that a caller who reads slowly fills its queue and
// holds up nobody.
type follower struct {
	stream callToolStream
	events *queue.Queue[jsonrpc.Message]
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

// newFollower returns the follower of c, and has c tell it of what happens.
func newFollower(c *mcp.Call, req *mcpbridgev1.CallToolStreamRequest, stream callToolStream) *follower {
	f := &follower{
		stream: stream, events: queue.New[jsonrpc.Message](queue.DefaultItems, queue.DefaultBytes), format: req.GetJsonFormat(), level: req.GetLogLevel(),
		token: rawjson.Get(c.Meta, "progressToken"), sent: make(chan struct{}),
	}
	c.Notify = f.add
	return f
}

// add takes an event of the call. It never blocks.
func (f *follower) add(msg jsonrpc.Message) {
	msg = msg.CloneNotification()
	f.events.Add(msg, len(msg.Method)+len(msg.Params))
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
		if err != nil {
			break
		}
		if dropped > 0 {
			gap := &mcpbridgev1.Gap{Dropped: dropped}
			if err := f.stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Gap{Gap: gap}}); err != nil {
				return err
			}
			continue
		}
		if event := f.event(msg); event != nil {
			if err := f.stream.Send(event); err != nil {
				return err
			}
		}
	}
	if f.result == nil {
		return nil
	}
	return f.stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Result{Result: f.result}})
}

// event converts a notification; nil if the caller does not want it. What does
// not fit the event meant for it is handed over as it is.
func (f *follower) event(msg jsonrpc.Message) *mcpbridgev1.CallToolStreamResponse {
	switch msg.Method {
	case "notifications/progress":
		p := new(mcpbridgev1.Progress)
		if convert.Into(p, f.ownToken(msg.Params), f.format) == nil {
			return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Progress{Progress: p}}
		}
	case "notifications/message":
		l := new(mcpbridgev1.LogMessage)
		if convert.Into(l, msg.Params, f.format) == nil {
			if l.GetLevel() != 0 && l.GetLevel() < f.level {
				return nil
			}
			return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Log{Log: l}}
		}
	}
	n := &mcpbridgev1.UnknownNotification{Method: msg.Method}
	if msg.Params != nil {
		text := string(msg.Params)
		n.ParamsJson = &text
	}
	return &toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Notification{Notification: n}}
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

// levelWord is MCP's word for a log level, empty for none.
func levelWord(l mcpbridgev1.LoggingLevel) string {
	if l == mcpbridgev1.LoggingLevel_LOGGING_LEVEL_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(l.String(), "LOGGING_LEVEL_"))
}
