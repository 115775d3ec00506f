package inproc

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A Stream is the caller's side of a call whose responses come one by one. The
// handler runs on a goroutine of its own from SendMsg on; it waits with each
// message until the caller takes it, so a slow caller slows it down. Whoever
// leaves a stream before its end cancels its context and calls Wait.
type Stream struct {
	ctx     context.Context //nolint:containedctx // grpc.ClientStream has to give it back
	channel *Channel
	method  string

	call     *call         // nil before SendMsg
	messages chan any      // unbuffered
	done     chan struct{} // closed when the handler has returned
	err      error         // its error; read after done

	first any  // the message that Header has seen and RecvMsg has not
	begun bool // Header has waited for it
}

var _ grpc.ClientStream = (*Stream)(nil)

// Open prepares a call to a method that streams its responses, and only those.
// It begins with SendMsg.
func (c *Channel) Open(ctx context.Context, method string) (*Stream, error) {
	if desc, known := c.streams[method]; !known || desc.ClientStreams {
		return nil, status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	return &Stream{ctx: ctx, channel: c, method: method, messages: make(chan any), done: make(chan struct{})}, nil
}

// SendMsg sends the request, of which there is one.
func (s *Stream) SendMsg(request any) error {
	if s.call != nil {
		return status.Errorf(codes.Internal, "%s takes one request", s.method)
	}
	s.call = newCall(s.ctx, s.method)
	go func() {
		defer close(s.done)
		s.err = toStatus(s.channel.serve(&handlerStream{stream: s, request: request}))
	}()
	return nil
}

// CloseSend does nothing: there is nothing to send after the request.
func (s *Stream) CloseSend() error { return nil }

// Header waits for the first message or the end, so that the error of a call
// that fails before its first message is known before anything is made of it.
func (s *Stream) Header() (metadata.MD, error) {
	if !s.begun {
		s.begun = true
		select {
		case s.first = <-s.messages:
		case <-s.done:
		}
	}
	if s.first == nil && s.ended() && s.err != nil {
		return nil, s.err
	}
	return s.call.headers(), nil
}

// RecvMsg waits for the next message, io.EOF or the error of the call.
func (s *Stream) RecvMsg(message any) error {
	s.begun = true
	if first := s.first; first != nil {
		s.first = nil
		return handOver(message, first)
	}
	select {
	case next := <-s.messages:
		return handOver(message, next)
	case <-s.done:
		if s.err != nil {
			return s.err
		}
		return io.EOF
	}
}

// Trailer returns the trailer once the stream has ended.
func (s *Stream) Trailer() metadata.MD { return s.call.trailers() }

// Context returns the context that the stream was opened with.
func (s *Stream) Context() context.Context { return s.ctx }

// Wait returns when the handler has. It returns at once if there was no call.
func (s *Stream) Wait() {
	if s.call != nil {
		<-s.done
	}
}

func (s *Stream) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// serve calls the handler of a stream, through the interceptors.
func (c *Channel) serve(stream *handlerStream) error {
	desc := c.streams[stream.stream.method]
	if c.streaming == nil {
		return desc.Handler(c.service, stream)
	}
	info := &grpc.StreamServerInfo{FullMethod: stream.stream.method, IsServerStream: true}
	return c.streaming(c.service, stream, info, desc.Handler)
}
