package inproc

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A handlerStream is the handler's side of a [Stream].
type handlerStream struct {
	stream  *Stream
	request any // nil once it has been received
}

var _ grpc.ServerStream = (*handlerStream)(nil)

func (h *handlerStream) Context() context.Context        { return h.stream.call.ctx }
func (h *handlerStream) SetHeader(md metadata.MD) error  { return h.stream.call.SetHeader(md) }
func (h *handlerStream) SendHeader(md metadata.MD) error { return h.stream.call.SendHeader(md) }
func (h *handlerStream) SetTrailer(md metadata.MD)       { _ = h.stream.call.SetTrailer(md) } // never fails

// RecvMsg gives the request, then io.EOF.
func (h *handlerStream) RecvMsg(message any) error {
	request := h.request
	if request == nil {
		return io.EOF
	}
	h.request = nil
	return handOver(message, request)
}

// SendMsg waits until the caller takes the message or the call is cancelled.
func (h *handlerStream) SendMsg(message any) error {
	ctx := h.stream.call.ctx
	select {
	case h.stream.messages <- message:
		h.stream.call.commit()
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
