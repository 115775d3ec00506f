package hostile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// server is what all connections to one hostile server share.
type server struct {
	mode    mode
	era     Era
	journal *journalWriter

	mu      sync.Mutex // guards running
	running map[string]context.CancelFunc
}

// handler answers one message through out. It may take its time: requests are
// handled concurrently, each with a ctx that ends when the request is cancelled.
type handler func(ctx context.Context, s *server, m message, out outlet)

// outlet is the way back to the client for one message. Its methods may be
// called concurrently; they fail once the client is gone.
type outlet interface {
	// send sends one JSON-RPC message in the framing of the transport.
	send(message []byte) error
	// raw sends bytes as they are. With no bytes it makes the client see that
	// an answer has begun, where the transport has such a thing.
	raw(data []byte) error
	// hang leaves the message without an answer. Where returning to the
	// transport would be an answer of a kind, it waits for the end of ctx.
	hang(ctx context.Context)
}

func newServer(options Options) (*server, error) {
	mode, err := modeNamed(options.Mode)
	if err != nil {
		return nil, err
	}
	journal, err := options.Journal.open()
	if err != nil {
		return nil, err
	}
	era := options.Era
	if mode.era != Dual {
		era = mode.era
	}
	return &server{mode: mode, era: era, journal: journal, running: make(map[string]context.CancelFunc)}, nil
}

func (s *server) close() error { return s.journal.close() }

// serve lets the mode answer m and keeps the books of what can be cancelled.
func (s *server) serve(ctx context.Context, m message, out outlet) {
	if m.Method == "notifications/cancelled" {
		s.cancel(message{ID: m.Params.RequestID, session: m.session})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if m.isRequest() {
		s.enter(m, cancel)
		defer s.leave(m)
	}
	handle := s.mode.handle
	if handle == nil {
		handle = honest
	}
	handle(ctx, s, m, out)
}

func (s *server) enter(m message, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[m.key()] = cancel
}

func (s *server) leave(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, m.key())
}

func (s *server) cancel(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel, ok := s.running[m.key()]; ok {
		cancel()
	}
}

// honest answers m as an ordinary server does.
func honest(ctx context.Context, s *server, m message, out outlet) {
	switch {
	case !m.isRequest():
	case m.Method == "subscriptions/listen" && s.era != Legacy:
		_ = out.send(acknowledgement(m))
		<-ctx.Done()
	default:
		_ = out.send(s.reply(m))
	}
}

// reply returns the honest response to a request, having executed it.
func (s *server) reply(m message) []byte {
	switch m.Method {
	case "server/discover":
		return s.discover(m)
	case "initialize":
		return s.initialize(m)
	case "ping":
		return resultTo(m, "")
	case "tools/list":
		return resultTo(m, toolsField(m, "run"))
	case "tools/call":
		return s.call(m)
	default:
		return errorTo(m, -32601, "Method not found")
	}
}

func (s *server) discover(m message) []byte {
	if s.era == Legacy {
		return errorTo(m, -32601, "Method not found")
	}
	return resultTo(m, fmt.Sprintf(
		`"supportedVersions":["%s"],"capabilities":%s,"ttlMs":0,"cacheScope":"private",`+
			`"_meta":{"io.modelcontextprotocol/serverInfo":%s}`,
		strings.Join(s.versions(), `","`), capabilities, serverInfo))
}

func (s *server) initialize(m message) []byte {
	if s.era == Modern {
		return s.unsupportedVersion(m, m.Params.ProtocolVersion)
	}
	version := s.mode.version
	if version == "" {
		version = latestLegacy
		if slices.Contains(legacyVersions(), m.Params.ProtocolVersion) {
			version = m.Params.ProtocolVersion
		}
	}
	return resultTo(m, fmt.Sprintf(`"protocolVersion":%q,"capabilities":%s,"serverInfo":%s`,
		version, capabilities, serverInfo))
}

func (s *server) unsupportedVersion(m message, requested string) []byte {
	return response(string(m.ID), fmt.Sprintf(`"error":{"code":-32022,"message":"Unsupported protocol version",`+
		`"data":{"supported":["%s"],"requested":%s}}`, strings.Join(s.versions(), `","`), quote(requested)))
}

const (
	capabilities = `{"tools":{"listChanged":true}}`
	serverInfo   = `{"name":"hostile","version":"1.0.0"}`
)

func (s *server) versions() []string {
	switch {
	case s.mode.version != "":
		return []string{s.mode.version}
	case s.era == Modern:
		return []string{modernVersion}
	default:
		return append([]string{modernVersion}, legacyVersions()...)
	}
}

// call runs the tool.
func (s *server) call(m message) []byte {
	if m.Params.Name != "run" {
		return errorTo(m, -32602, "Unknown tool")
	}
	s.execute(m)
	return resultTo(m, callFields(m))
}

// execute is the effect of the tool: a line in the journal.
func (s *server) execute(m message) {
	s.journal.write(Entry{Event: Executed, Nonce: m.Params.Arguments.Nonce})
}

// callFields are the members of a call's result.
func callFields(m message) string {
	nonce := quote(m.Params.Arguments.Nonce)
	return fmt.Sprintf(`"content":[{"type":"text","text":%s}],"structuredContent":{"nonce":%s}`, nonce, nonce)
}

// toolsField are the members of a list of tools' result, but for the cursor.
func toolsField(m message, names ...string) string {
	var tools []string
	for _, name := range names {
		tools = append(tools, fmt.Sprintf(`{"name":%q,"description":"returns the nonce",`+
			`"inputSchema":{"type":"object","properties":{"nonce":{"type":"string"}}}}`, name))
	}
	fields := `"tools":[` + strings.Join(tools, ",") + `]`
	if m.isModern() {
		fields += `,"ttlMs":0,"cacheScope":"private"`
	}
	return fields
}

func acknowledgement(m message) []byte {
	return notification("notifications/subscriptions/acknowledged", fmt.Sprintf(
		`"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":%s}`, m.ID))
}

// on returns a handler that is honest except about one method.
func on(method string, handle handler) handler {
	return func(ctx context.Context, s *server, m message, out outlet) {
		if m.Method == method {
			handle(ctx, s, m, out)
			return
		}
		honest(ctx, s, m, out)
	}
}

// onCall returns a handler that is honest except about tools/call.
func onCall(handle handler) handler { return on("tools/call", handle) }

// altered returns a handler that runs the tool and sends something else than its
// honest response.
func altered(alter func(m message, reply []byte) []byte) handler {
	return onCall(func(_ context.Context, s *server, m message, out outlet) {
		_ = out.send(alter(m, s.reply(m)))
	})
}
