package peers

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// GoSDKOptions says how the Go SDK's server is served. The zero value is the
// most modern: stateless, every protocol version, event streams for answers.
type GoSDKOptions struct {
	// Stateful gives each client a session with an Mcp-Session-Id. The SDK then
	// speaks no version after 2025-11-25: it answers server/discover with legacy
	// versions only. Over stdio it has no meaning.
	Stateful bool
	// Resumable keeps the events of each stream, so that a client may come back
	// with Last-Event-ID. It needs Stateful.
	Resumable bool
	// JSON answers a POST with application/json instead of an event stream.
	JSON bool
	// PageSize is the number of items on a page of a list; zero means 1000.
	PageSize int
	// TTL is for how long clients may keep lists and resources; zero means not
	// at all. It is whole milliseconds.
	TTL time.Duration
	// Versions narrows the protocol versions; empty means all the SDK speaks.
	Versions []string
}

// GoSDK serves the Go SDK's server over Streamable HTTP until the test ends and
// returns its URL. See NewGoSDKServer for what it offers.
func GoSDK(t testing.TB, options GoSDKOptions) (url string) {
	t.Helper()
	server := NewGoSDKServer(options)
	httpOptions := &mcpsdk.StreamableHTTPOptions{
		Stateless:                    !options.Stateful,
		JSONResponse:                 options.JSON,
		PropagateRequestCancellation: true,
	}
	if options.Resumable {
		httpOptions.EventStore = mcpsdk.NewMemoryEventStore(nil)
	}
	handler := mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return server }, httpOptions)
	return serveHTTP(t, server, handler) + "/mcp"
}

// GoSDKSSE serves the Go SDK's server over HTTP+SSE, the transport of protocol
// version 2024-11-05, until the test ends and returns the URL of its event
// stream. Of the options, Stateful, Resumable and JSON have no meaning for it.
func GoSDKSSE(t testing.TB, options GoSDKOptions) (url string) {
	t.Helper()
	server := NewGoSDKServer(options)
	handler := mcpsdk.NewSSEHandler(func(*http.Request) *mcpsdk.Server { return server }, nil)
	return serveHTTP(t, server, handler) + "/mcp"
}

// serveHTTP serves handler at /mcp and returns the URL without the path.
func serveHTTP(t testing.TB, server *mcpsdk.Server, handler http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/mcp", handler)
	listener := httptest.NewServer(mux)
	t.Cleanup(func() {
		// Event streams stay open for as long as their client wants, and Close
		// waits for them.
		listener.CloseClientConnections()
		listener.Close()
		for session := range server.Sessions() {
			_ = session.Close()
		}
	})
	return listener.URL
}
