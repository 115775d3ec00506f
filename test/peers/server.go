package peers

import (
	"context"
	"sync"
	"sync/atomic"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// NewGoSDKServer returns a server of the Go SDK, not yet connected, with
//
//   - plain tools: echo, add, fail, blob, mirror, meta
//   - tools that take time: sleep, slow; given_up counts what was cancelled
//   - tools with state: counter, grow, touch
//   - tools that ask the client: ask, visit, sample, roots
//   - resources test://text and test://bytes, template test://item/{id}
//   - prompt greet, with completion for its tone
//
// The tools' own comments say what each does.
func NewGoSDKServer(options GoSDKOptions) *mcpsdk.Server {
	server := mcpsdk.NewServer(&mcpsdk.Implementation{Name: "gosdk-peer", Version: "1.0.0"}, &mcpsdk.ServerOptions{
		Instructions:              "A peer for tests.",
		PageSize:                  options.PageSize,
		SupportedProtocolVersions: options.Versions,
		CompletionHandler:         completeTone,
		SubscribeHandler:          func(context.Context, *mcpsdk.SubscribeRequest) error { return nil },
		UnsubscribeHandler:        func(context.Context, *mcpsdk.UnsubscribeRequest) error { return nil },
		SetCacheable: func(_ context.Context, _ mcpsdk.Request, c *mcpsdk.Cacheable) {
			c.TTLMs = int(options.TTL.Milliseconds())
		},
	})
	addPlainTools(server)
	state := &state{calls: make(map[string]int)}
	addTimedTools(server, state)
	addStateTools(server, state)
	addAskingTools(server)
	addResources(server)
	addGreet(server)
	return server
}

// state is what the tools of one server remember. It is safe for concurrent use.
type state struct {
	givenUp atomic.Int64 // how often a tool was cancelled while it waited

	mu    sync.Mutex // guards the fields below
	calls map[string]int
	grown int
}

// count returns how often it was called for this session, this time included.
func (s *state) count(session string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[session]++
	return s.calls[session]
}

// grow returns 1, 2, 3 and so on.
func (s *state) grow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grown++
	return s.grown
}
