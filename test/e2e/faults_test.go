package e2e

import (
	"cmp"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// A fault is what becomes of a call of a server that misbehaves in some way: what
// its caller is told, and how often the tool runs.
type fault struct {
	code             codes.Code
	reason, delivery string
	executed         int
	// text is what the result says; empty: the nonce of the call.
	text string
	// silent: the server never answers, so the call is given a timeout.
	silent bool
	// again: a second call in a row finds the session gone, and ends as well as
	// the first.
	again bool
	// twice: two calls have to be under way at once.
	twice bool
}

// perhaps is how often a tool runs that its server is kept from running, or not.
const perhaps = -1

// What becomes of a call, for most modes.
func noFault() fault { return fault{executed: 1} }
func lostOutcome() fault {
	return fault{code: codes.Unknown, reason: "OUTCOME_UNKNOWN", delivery: "unknown", executed: 1}
}
func noMCP() fault {
	return fault{code: codes.Internal, reason: "UPSTREAM_PROTOCOL", delivery: "unknown", executed: 1}
}
func wrongResult() fault {
	return fault{code: codes.Internal, reason: "UPSTREAM_PROTOCOL", delivery: "answered", executed: 1}
}
func overLimit() fault {
	return fault{code: codes.ResourceExhausted, reason: "UPSTREAM_LIMIT", delivery: "unknown", executed: 1}
}
func noAnswer() fault {
	return fault{code: codes.DeadlineExceeded, reason: "DEADLINE_EXCEEDED", delivery: "unknown", executed: 1, silent: true}
}
func mismatch() fault {
	return fault{code: codes.FailedPrecondition, reason: "PROTOCOL_MISMATCH", delivery: "not_sent"}
}
func unauthorized(delivery string) fault {
	return fault{code: codes.FailedPrecondition, reason: "UPSTREAM_AUTH", delivery: delivery}
}

// faults says what becomes of a call for each of the hostile modes, by name; an
// entry "mode/transport" is for that transport only.
func faults() map[string]fault {
	all := make(map[string]fault)
	for _, some := range []map[string]fault{harmless(), handshakeFaults(), answerFaults(), httpFaults()} {
		maps.Copy(all, some)
	}
	return all
}

// harmless are modes that nobody has to notice.
func harmless() map[string]fault {
	all := map[string]fault{
		"huge":            {executed: 1, text: strings.Repeat("x", 12<<20)},
		"unknown-content": {executed: 1, text: `{"type":"hologram","beams":18446744073709551615}`},
		"session-404":     {executed: 1, again: true},
		"session-400":     {executed: 1, again: true},
		"out-of-order":    {executed: 1, twice: true},
	}
	for _, mode := range []string{
		"honest", "silent-discover", "exit-discover", "late-discover", "late-discover-result", "empty-discover",
		"version-2024-11-05", "version-2025-03-26", "version-2025-06-18",
		"duplicate-replies", "string-ids", "float-ids", "null-error", "duplicate-keys", "batch", "mixed-batch",
		"noise", "blank-lines", "bom", "split-bytes", "event-noise",
		"endless-pages", "repeated-cursor", "empty-cursor", "duplicate-tools", // see TestWalks
		"progress-flood", "ping-flood", "stderr-flood", "odd-request-ids", "unknown-requests", "modern-requests", "listen-closed", "page-visited",
		"slow-start", "stubborn", "grandchild", "stream-resume", "stream-resume-twice", "retry-huge",
	} {
		all[mode] = noFault()
	}
	return all
}

// handshakeFaults keep a session from being opened.
func handshakeFaults() map[string]fault {
	return map[string]fault{
		"future": mismatch(), "future-error": mismatch(), "version-2099-01-01": mismatch(), "empty-results": mismatch(),
		"discover-503":         {code: codes.Unavailable, reason: "SESSION_LOST", delivery: "not_sent"},
		"discover-401":         unauthorized("not_sent"),
		"silent-discover/http": {code: codes.Unavailable, reason: "UPSTREAM_UNREACHABLE", delivery: "not_sent"},
		"exit-at-once":         {code: codes.Unavailable, reason: "UPSTREAM_EXITED", delivery: "not_sent"},
		"session-never":        {code: codes.Unavailable, reason: "SESSION_LOST", delivery: "not_sent"},
	}
}

// answerFaults are in what is answered, or in that nothing is.
func answerFaults() map[string]fault {
	return map[string]fault{
		"silent-call": noAnswer(), "silent-stream": noAnswer(), "wrong-ids": noAnswer(),
		"deaf":  {code: codes.DeadlineExceeded, reason: "DEADLINE_EXCEEDED", delivery: "unknown", silent: true},
		"crash": lostOutcome(), "closed-stdout": lostOutcome(),
		"null-result": wrongResult(), "unknown-result-type": wrongResult(),
		"not-json": noMCP(), "invalid-utf8": noMCP(), "nul": noMCP(),
		"deep": overLimit(), "endless-line": overLimit(), "endless-event": overLimit(), "endless-json": overLimit(),
		"noise-flood":      {code: codes.Internal, reason: "UPSTREAM_PROTOCOL", delivery: "unknown", executed: perhaps},
		"null-id-error":    {code: codes.Internal, reason: "UPSTREAM_INTERNAL", delivery: "answered"},
		"result-and-error": {code: codes.Internal, reason: "UPSTREAM_INTERNAL", delivery: "answered", executed: 1},
		"text-code":        {code: codes.Unknown, reason: "UPSTREAM_ERROR", delivery: "answered", executed: 1},
		"endless-input":    {code: codes.FailedPrecondition, reason: "INPUT_REQUIRED", delivery: "answered"},
	}
}

// httpFaults are those that only HTTP has.
func httpFaults() map[string]fault {
	return map[string]fault{
		"call-401": unauthorized("answered"), "call-403": unauthorized("answered"),
		"call-429": {code: codes.ResourceExhausted, reason: "UPSTREAM_THROTTLED", delivery: "answered"},
		"call-500": lostOutcome(), "call-502": lostOutcome(), "call-503": lostOutcome(),
		"reset": lostOutcome(), "hang-up": lostOutcome(), "stream-closed": lostOutcome(), "stream-lost": lostOutcome(),
		"html": noMCP(), "empty-body": noMCP(),
		"redirect":        {code: codes.FailedPrecondition, reason: "REDIRECT_REFUSED", delivery: "answered"},
		"slow-headers":    noAnswer(),
		"endless-headers": overLimit(),
		"retry-storm":     noAnswer(),
		"answer-on-get":   noAnswer(), // unless somebody watches, see TestAnswerOnGet
	}
}

// TestFaults calls a server in each hostile mode on each transport that it has,
// all of them behind one bridge.
func TestFaults(t *testing.T) {
	t.Parallel()
	entries, journals := make(servers), make(map[string]hostile.Journal)
	for _, mode := range hostile.Modes() {
		for transport, exists := range map[string]bool{"stdio": mode.Stdio, "http": mode.HTTP} {
			if exists {
				name := mode.Name + "." + transport
				journals[name] = hostile.NewJournal(t)
				entries[name] = hostileEntry(t, transport, hostile.Options{Mode: mode.Name, Journal: journals[name]})
			}
		}
	}
	b := start(t, setup{servers: entries, config: "children: {max: 200}\nconnect: {probe_timeout: 1s, timeout: 6s}\n"})
	client := b.client(t, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	t.Run("modes", func(t *testing.T) {
		for name, journal := range journals {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				mode, transport, _ := strings.Cut(name, ".")
				want, ok := faults()[mode+"/"+transport]
				if !ok {
					want, ok = faults()[mode]
				}
				if !ok {
					t.Fatal("nothing says what becomes of a call")
				}
				want.test(t, client, "servers/"+name, journal)
			})
		}
	})
	if _, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{}); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// silentTimeout is that of calls which are never answered.
const silentTimeout = 500 * time.Millisecond

func (f fault) test(t *testing.T, client mcpbridgev1.McpServiceClient, target string, journal hostile.Journal) {
	var timeout *durationpb.Duration
	if f.silent { // connecting is no part of the time
		target = connect(t, client, &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: target}})
		timeout = durationpb.New(silentTimeout)
	}
	call := func(nonce string) (trailer metadata.MD) {
		argumentsJSON := `{"nonce":"` + nonce + `"}`
		result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
			Target: target, Name: "run", ArgumentsJson: &argumentsJSON, Timeout: timeout,
		}, grpc.Trailer(&trailer))
		f.check(t, nonce, result, err, trailer)
		if n := journal.Count(t, hostile.Executed, nonce); f.executed != perhaps && n != f.executed || n > 1 {
			t.Errorf("the tool ran %d times, want %d", n, f.executed)
		}
		return trailer
	}
	if f.twice {
		var other sync.WaitGroup
		other.Go(func() { call("other") })
		defer other.Wait()
	}
	call("one")
	if f.again && first(call("two").Get("mcpbridge-reinitialized")) != "true" {
		t.Error("nothing says that the session is another one")
	}
}

func (f fault) check(t *testing.T, nonce string, result *mcpbridgev1.CallToolResponse, err error, trailer metadata.MD) {
	t.Helper()
	if f.code != codes.OK {
		wantStatus(t, err, trailer, f.code, f.reason, f.delivery)
		return
	}
	if err != nil {
		t.Errorf("the call ends with %v", err)
		return
	}
	said := textsOf(result)
	for _, block := range result.GetContent() {
		said += block.GetUnknownJson()
	}
	if said != cmp.Or(f.text, nonce) || result.GetIsError() {
		t.Errorf("the result is %.100v", result)
	}
}
