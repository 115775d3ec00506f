package service

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
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
	events := newEventQueue()
	f := follower{format: req.GetJsonFormat(), level: req.GetLogLevel(), token: rawjson.Get(c.Meta, "progressToken")}
	c.Notify = events.add

	status := target.Status()
	ready := &mcpbridgev1.Ready{State: stateOf(status.State), Generation: status.Generation}
	if err := stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Ready{Ready: ready}}); err != nil {
		return err
	}
	// The call runs on its own, so that a caller that reads slowly fills its
	// queue, and blocks nobody.
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	var resp *mcpbridgev1.CallToolResponse
	go func() {
		defer events.close()
		err = recovered(func() (err error) {
			resp, err = s.callTool(ctx, c, req)
			return err
		})
	}()
	if sendErr := f.send(events, stream); sendErr != nil {
		cancel(sendErr)
		events.wait()
		return sendErr
	}
	if err != nil {
		return err
	}
	if err := convert.Open(resp); err != nil {
		return err
	}
	return stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Result{Result: resp}})
}

// A follower turns the notifications of one call into events.
type follower struct {
	format convert.Format
	// level is the least severe log level that the caller wants.
	level mcpbridgev1.LoggingLevel
	// token is the caller's own progress token, nil if it gave none.
	token []byte
}

// send sends events until the queue is closed and empty.
func (f follower) send(events *eventQueue, stream callToolStream) error {
	for {
		msg, dropped, more := events.next()
		if dropped > 0 {
			gap := &mcpbridgev1.Gap{Dropped: dropped}
			if err := stream.Send(&toolEvent{Event: &mcpbridgev1.CallToolStreamResponse_Gap{Gap: gap}}); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		if event := f.event(msg); event != nil {
			if err := stream.Send(event); err != nil {
				return err
			}
		}
	}
}

// event converts a notification; nil if the caller does not want it. What does
// not fit the event meant for it is handed over as it is.
func (f follower) event(msg jsonrpc.Message) *mcpbridgev1.CallToolStreamResponse {
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
func (f follower) ownToken(params []byte) []byte {
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
