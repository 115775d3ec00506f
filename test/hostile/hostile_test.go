package hostile

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	ServeIfChild()
	goleak.VerifyTestMain(m)
}

// deadline bounds whatever a test waits for.
const deadline = 20 * time.Second

func TestModesAreDescribed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, m := range Modes() {
		if seen[m.Name] {
			t.Errorf("two modes are called %s", m.Name)
		}
		seen[m.Name] = true
		if m.About == "" || !m.Stdio && !m.HTTP {
			t.Errorf("mode %s lacks a description or a transport", m.Name)
		}
	}
}

func TestUnknownModeIsAnError(t *testing.T) {
	t.Parallel()
	err := Serve(Options{Mode: "kind"}, strings.NewReader(""), nil, nil)
	if err == nil || !strings.Contains(err.Error(), `"kind"`) {
		t.Errorf("error is %v", err)
	}
	err = Serve(Options{Mode: "redirect"}, strings.NewReader(""), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "stdio") {
		t.Errorf("error is %v", err)
	}
}

// A smoke test proves that a mode does what it says. It gets the mode's name.
type smokeTest func(t *testing.T, mode string)

// TestOverStdio and TestOverHTTP fail for a mode that has no smoke test.
func TestOverStdio(t *testing.T) {
	t.Parallel()
	tests := stdioSmokeTests()
	maps.Copy(tests, everywhereSmokeTests(overStdio))
	runSmokeTests(t, tests, func(m Mode) bool { return m.Stdio })
}

func TestOverHTTP(t *testing.T) {
	t.Parallel()
	tests := httpSmokeTests()
	maps.Copy(tests, everywhereSmokeTests(overHTTP))
	runSmokeTests(t, tests, func(m Mode) bool { return m.HTTP })
}

func runSmokeTests(t *testing.T, tests map[string]smokeTest, exists func(Mode) bool) {
	t.Helper()
	for _, m := range Modes() {
		if !exists(m) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			test, ok := tests[m.Name]
			if !ok {
				t.Fatal("the mode has no smoke test")
			}
			test(t, m.Name)
		})
	}
}

// client is the testing end of one connection to a hostile server.
type client interface {
	// ask sends a request and returns the next n messages that come for it. Over
	// stdio these are the next n lines, over HTTP the first n events, or the body
	// of an answer that is not an event stream.
	ask(t *testing.T, request string, n int) []string
	// more returns the next n messages after those that ask returned.
	more(t *testing.T, n int) []string
	// tell sends what is no request.
	tell(t *testing.T, message string)
}

// dial starts a server and connects to it. Where a legacy server needs a session,
// it has one.
type dial func(t *testing.T, options Options) client

// callOf returns a call of the tool in the era of the server.
func callOf(era Era, id, nonce string) string {
	meta := ""
	if era != Legacy {
		meta = `,` + modernMeta
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"run","arguments":{"nonce":%q}%s}}`,
		id, nonce, meta)
}

// requestOf returns any other request in the era of the server.
func requestOf(era Era, id, method, fields string) string {
	if era != Legacy {
		fields = strings.TrimPrefix(fields+","+modernMeta, ",")
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s}}`, id, method, fields)
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientCapabilities":{},"progressToken":5}`

const (
	initialize  = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// eraOf returns the era in which a mode is tested.
func eraOf(t *testing.T, name string) Era {
	t.Helper()
	m, err := modeNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return m.era
}

// wants fails the test unless each message contains its part.
func wants(t *testing.T, messages []string, parts ...string) {
	t.Helper()
	if len(messages) != len(parts) {
		t.Fatalf("%d messages, want %d: %.200q", len(messages), len(parts), messages)
	}
	for i, part := range parts {
		if !strings.Contains(messages[i], part) {
			t.Errorf("message %d is %.300q, want %q in it", i, messages[i], part)
		}
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(deadline); time.Now().Before(end); <-ticker.C {
		if condition() {
			return
		}
	}
	t.Fatalf("%s did not happen in %v", what, deadline)
}

func waitFor(t *testing.T, journal Journal, event Event, nonce string) {
	t.Helper()
	eventually(t, string(event)+" "+nonce, func() bool { return journal.Count(t, event, nonce) > 0 })
}
