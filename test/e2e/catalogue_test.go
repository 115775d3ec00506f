package e2e

import (
	"testing"

	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// A misdeed is something that servers in the field do, or may do, wrong.
type misdeed struct {
	what string
	// modes are the hostile modes that do it. What callers are told is in faults.
	modes []string
	// tests look at more than one call.
	tests []func(*testing.T)
}

// catalogue is what the bridge has to live with.
func catalogue() []misdeed {
	only := func(modes ...string) []string { return modes }
	and := func(tests ...func(*testing.T)) []func(*testing.T) { return tests }
	return []misdeed{
		{what: "noise on stdout before and between messages", modes: only("noise", "noise-flood")},
		{what: "blank lines, CRLF, a byte order mark", modes: only("blank-lines", "bom")},
		{what: "silence on discover", modes: only("silent-discover")},
		{what: "exit on discover", modes: only("exit-discover")},
		{what: "a reply to discover that comes after initialize", modes: only("late-discover", "late-discover-result")},
		{what: "replies out of order, and twice", modes: only("out-of-order", "duplicate-replies")},
		{what: "an error whose id is null", modes: only("null-id-error")},
		{what: "an id that comes back as another type, or never", modes: only("string-ids", "float-ids", "wrong-ids")},
		{what: "ids of the server's own requests that are odd", modes: only("odd-request-ids")},
		{what: "an empty result for everything", modes: only("empty-results", "empty-discover")},
		{what: "a result that is none", modes: only("null-result", "null-error", "result-and-error", "unknown-result-type", "not-json")},
		{what: "batches", modes: only("batch", "mixed-batch")},
		{what: "HTTP 5xx on discover", modes: only("discover-503")},
		{what: "HTTP 401 on discover only", modes: only("discover-401")},
		{what: "HTTP 404 for a session in use", modes: only("session-404", "session-never", "stream-lost"), tests: and(TestLostSession)},
		{what: "HTTP 400 that speaks of a session", modes: only("session-400"), tests: and(TestLostSession)},
		{what: "the event stream of a call that ends without an id", modes: only("stream-closed"), tests: and(TestEagerClient)},
		{what: "one that ends with an id and a time to wait", modes: only("stream-resume", "retry-huge")},
		{what: "one that does so twice, or for ever", modes: only("stream-resume-twice", "retry-storm")},
		{what: "an answer on the GET stream", modes: only("answer-on-get"), tests: and(TestAnswerOnGet)},
		{what: "messages and events that come byte by byte", modes: only("split-bytes", "event-noise")},
		{what: "a message of more than 10 MiB, or without end", modes: only("huge", "endless-line", "endless-event", "endless-json")},
		{what: "text that is not UTF-8, or has a NUL", modes: only("invalid-utf8", "nul")},
		{what: "JSON that is nested too deeply", modes: only("deep")},
		{what: "pages without end", modes: only("endless-pages"), tests: and(TestWalks)},
		{what: "a cursor that comes again, or is empty", modes: only("repeated-cursor", "empty-cursor"), tests: and(TestWalks)},
		{what: "a flood of progress", modes: only("progress-flood"), tests: and(TestProgressFlood)},
		{what: "a flood of pings", modes: only("ping-flood")},
		{what: "questions without end", modes: only("endless-input"), tests: and(TestEndlessInput)},
		{what: "subscriptions that end at once", modes: only("listen-closed"), tests: and(TestListenClosed)},
		{what: "a child that ignores the end of its input and SIGTERM", modes: only("stubborn"), tests: and(TestStubbornChildren)},
		{what: "a child that does not read", modes: only("deaf"), tests: and(TestDeafChild)},
		{what: "a grandchild that holds stdout", modes: only("grandchild"), tests: and(TestStubbornChildren)},
	}
}

// TestCatalogue checks that each misdeed is committed somewhere, and that there
// is a fault for each mode that exists, and for no other.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	known, exist := faults(), make(map[string]bool)
	for _, mode := range hostile.Modes() {
		exist[mode.Name] = true
		for _, name := range []string{mode.Name, mode.Name + "/stdio", mode.Name + "/http"} {
			if _, ok := known[name]; ok {
				exist[name] = true
			}
		}
		if _, ok := known[mode.Name]; !ok {
			t.Errorf("nothing says what becomes of a call in the mode %s", mode.Name)
		}
	}
	for name := range known {
		if !exist[name] {
			t.Errorf("there is no mode %s", name)
		}
	}
	for _, m := range catalogue() {
		if len(m.modes) == 0 {
			t.Errorf("nobody commits %q", m.what)
		}
		for _, mode := range m.modes {
			if !exist[mode] {
				t.Errorf("%s: there is no mode %s", m.what, mode)
			}
		}
	}
}
