// Package transport moves messages between one MCP session and its server. It
// knows framing, connections, limits and what became of the bytes; what a
// message means is the business of package mcp.
package transport

import (
	"context"
	"net/url"
	"strconv"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// A Transport is one open way to one MCP server. All methods may be called
// concurrently. Whoever dialled it closes it.
type Transport interface {
	// RoundTrip sends req and waits for its response. A JSON-RPC error is a
	// Response, not an error; every error is an [*Error] that says whether the
	// request may have reached the server. Once ctx is done RoundTrip returns
	// promptly, with the context's cause wrapped in the Error.
	RoundTrip(ctx context.Context, req *Request) (*Response, error)

	// Send sends a notification, or the response to a request of the server's,
	// and waits until it is handed over. Its errors are of type [*Error].
	Send(ctx context.Context, msg *Message) error

	// Listen keeps a way open on which the server can send messages that belong
	// to no request of ours, until ctx is done or the transport is. It is for
	// the legacy era, after the handshake, and for one caller at a time.
	//
	// opened is called each time that the way is open. resumed says that nothing
	// was missed since it was last open; without it, messages may have been. It
	// must not block.
	//
	// Where all messages of the server's share one stream there is nothing to
	// open: opened(false) is called and Listen waits. Over Streamable HTTP it is
	// the GET stream; what breaks it is made good without end. An [ErrNoStream]
	// says that the server offers none: other calls are as good as before.
	//
	// Listen never returns nil; its errors are of type [*Error].
	Listen(ctx context.Context, opened func(resumed bool)) error

	// Done is closed when the transport can carry nothing more, whoever ended
	// it. Err then says why; it is nil before that and after Close.
	Done() <-chan struct{}
	Err() error

	// Close ends the transport in the staged way of its kind and returns when
	// nothing of it is left, or when ctx is done and it was cut short. Pending
	// round trips fail with [KindClosed]. A second Close does nothing.
	Close(ctx context.Context) error
}

// A Dialer opens transports to one server. Implementations hold configuration
// only, so one Dialer may be used any number of times, also concurrently.
type Dialer interface {
	// Dial opens a transport. ctx bounds the opening, not the transport's life.
	// Messages that arrive unasked go to r from before Dial returns.
	Dial(ctx context.Context, r Receiver) (Transport, error)

	// Peer describes the far end for spans and metrics.
	Peer() Peer
}

// A Receiver takes every message that is not the response to a request of
// ours: notifications and requests of the server's. call is the ID of the
// request on whose own stream the message came, or 0 where the transport
// cannot tell. The message's memory belongs to the Receiver.
//
// It is called from the reading goroutine, in the order of arrival within one
// stream, and must not block.
type Receiver func(msg jsonrpc.Message, call int64)

// A Request is a JSON-RPC request as a transport needs to see it.
type Request struct {
	// ID is unique among the requests of one transport, and above 0.
	ID int64
	// Method is the JSON-RPC method.
	Method string
	// Params is the JSON text of the params object. Nil means no params. It is not
	// read any more once RoundTrip has returned.
	Params []byte

	Envelope

	// OnSend, if set, is called once, before the first byte of the request can
	// reach the server: after it, the outcome of a failed request is unknown.
	// It must not block; it may be called from another goroutine, and also
	// after RoundTrip has returned because its context ended.
	OnSend func()

	// OnCancel, if set, is called when ctx ends while RoundTrip waits for the
	// response of a request that may have reached the server: before what carries
	// the request is given up, so that the server, told in time, still knows what
	// it is that is cancelled. RoundTrip may then still return what the server makes
	// of that. The ctx that it is given has the values of RoundTrip's, and ends with
	// RoundTrip if that does not wait for it.
	OnCancel func(ctx context.Context)

	// Endless is for a request whose answer is a stream that stays open, such as
	// subscriptions/listen: [Limits.CallBytes] does not bound it, as one message
	// after the other is handed to the Receiver.
	Endless bool
}

func (r *Request) canceled(ctx context.Context) {
	if r.OnCancel != nil {
		r.OnCancel(ctx)
	}
}

// A Message is one that expects no response: a notification, or our response
// to a request of the server's.
type Message struct {
	// Body is the JSON-RPC message as JSON text. It must not be changed, not even
	// after Send has returned: net/http may still be reading it.
	Body []byte
	// Method is the notification's method, empty for a response.
	Method string

	Envelope
}

// An Envelope is what a message says to the transport rather than to the
// server. Streamable HTTP writes it as headers; the stream transports have no
// use for it.
type Envelope struct {
	// Version is the value of the MCP-Protocol-Version header. Empty: none.
	Version string
	// Modern selects the headers of 2026-07-28: Mcp-Method and Mcp-Name are
	// written, and no session id (spec 2026-07-28, basic/transports/streamable-http).
	Modern bool
	// Name is the value of the Mcp-Name header, before encoding. Empty: none.
	Name string
	// Parameters become headers of their own, of a modern request only (spec
	// 2026-07-28, server/tools#x-mcp-header).
	Parameters []Parameter
	// Handshake marks the request that opens a legacy session: it goes out
	// without a session id, and the id in its reply is kept for what follows.
	Handshake bool
}

// A Parameter is a value of a tool's argument that goes out as a header too.
type Parameter struct {
	// Name is the header's without its prefix Mcp-Param-.
	Name string
	// Value is any text, before encoding. An empty one makes an empty header.
	Value string
}

// A Response is what the server answered to a request.
type Response struct {
	// Result is the JSON text of the result. Nil if Error is set. The memory
	// belongs to the caller.
	Result []byte
	// Error is the server's JSON-RPC error, nil on success.
	Error *jsonrpc.Error
	// Status is the HTTP status that the response came with; 0 on transports
	// that have none.
	Status int
}

// A Peer describes the far end of a transport in the words of OpenTelemetry's
// semantic conventions.
type Peer struct {
	// Transport is "stdio", "http", "sse" or "websocket", as in the configuration.
	Transport string
	// Network is network.transport: "pipe" or "tcp".
	Network string
	// Protocol is network.protocol.name: "http", "websocket", or empty for stdio.
	Protocol string
	// Address and Port are server.address and server.port; empty and 0 for stdio.
	Address string
	Port    int
	// Stream: all messages share one stream in each direction, or at least the
	// server's do. Without it each request has an exchange of its own, which
	// ends with the request.
	Stream bool
}

// peerAt returns the Peer at u, whose scheme is http, https, ws or wss, with
// what the URL tells.
func peerAt(u *url.URL) Peer {
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "ws": 80, "https": 443, "wss": 443}[u.Scheme]
	}
	return Peer{Network: "tcp", Address: u.Hostname(), Port: port}
}

// Limits bound what is read from a server. Zero fields take the default.
type Limits struct {
	// MessageBytes bounds one message: a line, an event, a body. Default 16 MiB.
	MessageBytes int64
	// CallBytes bounds everything that is read for one request. Default 64 MiB.
	CallBytes int64
	// Depth bounds the nesting of JSON. Default 64.
	Depth int
}

// The defaults of [Limits].
const (
	DefaultMessageBytes = 16 << 20
	DefaultCallBytes    = 64 << 20
	DefaultDepth        = 64
)

// WithDefaults returns l with the defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	if l.MessageBytes <= 0 {
		l.MessageBytes = DefaultMessageBytes
	}
	if l.CallBytes <= 0 {
		l.CallBytes = DefaultCallBytes
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	return l
}
