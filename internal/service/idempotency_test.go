package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// flightOf returns the id of a request that is part of a call.
func flightOf(call, request string) flightID {
	return flightID{call: sha256.Sum256([]byte(call)), request: sha256.Sum256([]byte(request)), resumes: request != "first"}
}

func TestFlights(t *testing.T) {
	t.Parallel()
	key := flightKey{"alice", "k"}
	sent := &callError{Tool: true, Err: &pool.CallError{Delivery: transport.Unknown, Err: context.DeadlineExceeded}}
	answered := &callError{Tool: true, Err: &pool.CallError{Delivery: transport.Answered, Err: &jsonrpc.Error{Code: 7}}}
	notSent := &callError{Tool: true, Err: &pool.CallError{Delivery: transport.NotSent, Err: errors.New("unreachable")}}
	tests := map[string]struct {
		resp *mcpbridgev1.CallToolResponse
		err  error
		// want is what a repeated call gets; again says that it is made.
		want  error
		again bool
	}{
		"a result":            {resp: &mcpbridgev1.CallToolResponse{IsError: true}},
		"an answer":           {err: answered, want: answered},
		"nothing is known":    {err: sent, want: errOutcomeUnknown},
		"it was not sent":     {err: notSent, again: true},
		"the bridge panicked": {err: &panicError{}, want: errOutcomeUnknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := newFlights(KeyLimits{})
				f, joined, err := table.join(key, flightOf("c", "r"))
				if joined || err != nil {
					t.Fatal(joined, err)
				}
				if second, joined, err := table.join(key, flightOf("c", "r")); second != f || !joined || err != nil {
					t.Fatalf("under way: joined %v, %v", joined, err)
				}
				if _, _, err := table.join(key, flightOf("c", "other")); !errors.As(err, new(keyReusedError)) {
					t.Errorf("another call while it is under way: %v", err)
				}
				waiting := table.outcome(f)
				table.end(f, tt.resp, tt.err)
				if resp, err := waiting.get(false); resp != tt.resp || !errors.Is(err, tt.err) {
					t.Errorf("who waited gets %v, %v", resp, err)
				}
				if tt.again {
					if _, joined, err := table.join(key, flightOf("c", "r")); joined || err != nil {
						t.Errorf("again: joined %v, %v", joined, err)
					}
					return
				}
				time.Sleep(flightLife - time.Nanosecond)
				late, joined, err := table.join(key, flightOf("c", "r"))
				if late != f || !joined || err != nil {
					t.Fatalf("repeated: joined %v, %v", joined, err)
				}
				if resp, err := table.outcome(late).get(true); resp != tt.resp || !errors.Is(err, tt.want) {
					t.Errorf("who repeats it gets %v, %v", resp, err)
				}
				time.Sleep(time.Nanosecond)
				if _, joined, err := table.join(key, flightOf("x", "x")); joined || err != nil || table.bytes != 0 || table.ended.Len() > 0 {
					t.Errorf("after its time: joined %v, %v", joined, err)
				}
			})
		})
	}
}

func TestFlightsOfOthers(t *testing.T) {
	t.Parallel()
	table := newFlights(KeyLimits{})
	if _, _, err := table.join(flightKey{"alice", "k"}, flightOf("c", "r")); err != nil {
		t.Fatal(err)
	}
	if _, joined, err := table.join(flightKey{"bob", "k"}, flightOf("x", "x")); joined || err != nil {
		t.Errorf("another principal's key: joined %v, %v", joined, err)
	}
}

// A call that goes on with what was asked has the same key.
func TestFlightGoesOn(t *testing.T) {
	t.Parallel()
	table, key := newFlights(KeyLimits{}), flightKey{"alice", "k"}
	f, _, _ := table.join(key, flightOf("c", "first"))
	table.end(f, &mcpbridgev1.CallToolResponse{InputRequired: &mcpbridgev1.InputRequired{}}, nil)
	second, joined, err := table.join(key, flightOf("c", "second"))
	if joined || err != nil {
		t.Fatal(joined, err)
	}
	table.end(second, &mcpbridgev1.CallToolResponse{}, nil)
	if _, _, err := table.join(key, flightOf("c", "third")); !errors.As(err, new(keyReusedError)) {
		t.Errorf("after its end: %v", err)
	}
	if again, joined, err := table.join(key, flightOf("c", "second")); again != second || !joined || err != nil {
		t.Errorf("repeated: joined %v, %v", joined, err)
	}
}

// Who repeats an earlier request of a call that went on gets what that one got:
// the tool is not called anew.
func TestFlightRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, key := newFlights(KeyLimits{}), flightKey{"alice", "k"}
		asks := func() *mcpbridgev1.CallToolResponse {
			return &mcpbridgev1.CallToolResponse{InputRequired: &mcpbridgev1.InputRequired{}}
		}
		var all []*flight
		for _, request := range []string{"first", "second", "third"} {
			f, joined, err := table.join(key, flightOf("c", request))
			if joined || err != nil {
				t.Fatal(joined, err)
			}
			table.end(f, asks(), nil)
			all = append(all, f)
			time.Sleep(flightLife / 4)
		}
		for i, request := range []string{"first", "second", "third"} {
			if f, joined, err := table.join(key, flightOf("c", request)); f != all[i] || !joined || err != nil {
				t.Errorf("%s: joined %v, %v", request, joined, err)
			}
		}
		time.Sleep(flightLife / 4)
		if _, _, err := table.join(key, flightOf("c", "first")); !errors.As(err, new(keyReusedError)) {
			t.Errorf("after the time of the first: %v", err)
		}
		if f, joined, err := table.join(key, flightOf("c", "second")); f != all[1] || !joined || err != nil {
			t.Errorf("the second after the time of the first: joined %v, %v", joined, err)
		}
		time.Sleep(flightLife)
		if _, joined, err := table.join(key, flightOf("x", "first")); joined || err != nil || table.count != 1 || len(table.byKey) != 1 {
			t.Errorf("after the time of all: joined %v, %v, %d are left", joined, err, table.count)
		}
	})
}

// Answers that do not reach the tool leave the call as it was.
func TestFlightGoesOnInVain(t *testing.T) {
	t.Parallel()
	table, key := newFlights(KeyLimits{}), flightKey{"alice", "k"}
	first, _, _ := table.join(key, flightOf("c", "first"))
	table.end(first, &mcpbridgev1.CallToolResponse{InputRequired: &mcpbridgev1.InputRequired{}}, nil)
	second, _, _ := table.join(key, flightOf("c", "wrong"))
	table.end(second, nil, &fieldError{Field: "input_responses"})
	if f, joined, err := table.join(key, flightOf("c", "first")); f != first || !joined || err != nil {
		t.Errorf("the first again: joined %v, %v", joined, err)
	}
	if _, joined, err := table.join(key, flightOf("c", "right")); joined || err != nil || table.count != 2 {
		t.Errorf("better answers: joined %v, %v, with %d", joined, err, table.count)
	}
}

// A call holds on to nobody who has left it.
func TestFlightLeft(t *testing.T) {
	t.Parallel()
	f, heard := new(flight), ""
	stay := f.follow(func(jsonrpc.Message) { heard += "a" })
	leave := f.follow(func(jsonrpc.Message) { heard += "b" })
	f.follow(nil)()
	leave()
	f.notify(jsonrpc.Message{})
	if stay(); heard != "a" || len(f.followers) > 0 {
		t.Errorf("heard by %q, %d are left", heard, len(f.followers))
	}
}

func TestFlightsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 1000
	table := newFlights(KeyLimits{Bytes: most})
	big := &mcpbridgev1.CallToolResponse{StructuredContentJson: new(strings.Repeat("x", most/2))}
	var all []*flight
	for _, key := range []string{"a", "b", "c"} {
		f, _, err := table.join(flightKey{"alice", key}, flightOf(key, key))
		if err != nil {
			t.Fatal(err)
		}
		table.end(f, big, nil)
		all = append(all, f)
	}
	if _, err := table.outcome(all[0]).get(true); !errors.Is(err, errOutcomeUnknown) {
		t.Errorf("of the oldest: %v", err)
	}
	if resp, err := table.outcome(all[2]).get(true); resp != big || err != nil || table.bytes > most {
		t.Errorf("of the newest: %v; %d bytes are kept", err, table.bytes)
	}
}

// One principal's calls leave room for those of others.
func TestFlightsOfOneAreBounded(t *testing.T) {
	t.Parallel()
	table := newFlights(KeyLimits{Calls: 100, OwnCalls: 10})
	var last *flight
	begin := func(principal string) (n int) {
		for ; ; n++ {
			f, joined, err := table.join(flightKey{principal, strconv.Itoa(n)}, flightOf("c", "r"))
			var quota *pool.QuotaError
			if errors.As(err, &quota) {
				return n
			}
			if joined || err != nil {
				t.Fatal(joined, err)
			}
			last = f
		}
	}
	for _, tt := range []struct {
		principal string
		want      int
	}{{"alice", 50}, {"bob", 10}, {"carol", 10}} {
		if n := begin(tt.principal); n != tt.want {
			t.Errorf("%s begins %d calls, not %d", tt.principal, n, tt.want)
		}
	}
	table.end(last, nil, &fieldError{Field: "f"})
	if _, _, err := table.join(flightKey{"carol", "again"}, flightOf("c", "r")); err != nil {
		t.Errorf("after the end of one: %v", err)
	}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	s := New(nil, Options{})
	digest := func(t *testing.T, req toolRequest) flightID {
		t.Helper()
		op, err := s.toolOperation(req)
		if err != nil {
			t.Fatal(err)
		}
		id, err := idOf(req, op)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	base := func() *mcpbridgev1.CallToolRequest {
		return &mcpbridgev1.CallToolRequest{Target: "servers/x", Name: "n", ArgumentsJson: new(`{"a":1}`)}
	}
	id := digest(t, base())
	tests := map[string]struct {
		change                func(*mcpbridgev1.CallToolRequest)
		sameCall, sameRequest bool
	}{
		"timeout": {func(r *mcpbridgev1.CallToolRequest) { r.Timeout = durationpb.New(1) }, true, true},
		"key":     {func(r *mcpbridgev1.CallToolRequest) { r.IdempotencyKey = "k" }, true, true},
		"format":  {func(r *mcpbridgev1.CallToolRequest) { r.JsonFormat = mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT }, true, true},
		"the other twin": {func(r *mcpbridgev1.CallToolRequest) {
			r.ArgumentsJson, r.Arguments = nil, &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(1)}}
		}, true, true},
		"state":     {func(r *mcpbridgev1.CallToolRequest) { r.RequestState = new("s") }, true, false},
		"arguments": {func(r *mcpbridgev1.CallToolRequest) { r.ArgumentsJson = new(`{"a":2}`) }, false, false},
		"meta":      {func(r *mcpbridgev1.CallToolRequest) { r.MetaJson = new(`{"a":2}`) }, false, false},
		"target":    {func(r *mcpbridgev1.CallToolRequest) { r.Target = "servers/y" }, false, false},
		"answers":   {func(r *mcpbridgev1.CallToolRequest) { r.Answers = &mcpbridgev1.Answers{} }, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := base()
			tt.change(r)
			got := digest(t, r)
			if (got.call == id.call) != tt.sameCall || (got.request == id.request) != tt.sameRequest || got.resumes != (name == "state") {
				t.Errorf("same call %v, same request %v, resumes %v", got.call == id.call, got.request == id.request, got.resumes)
			}
		})
	}
	stream := &mcpbridgev1.CallToolStreamRequest{Target: "servers/x", Name: "n", ArgumentsJson: new(`{"a":1}`)}
	if digest(t, stream) != id {
		t.Error("the same call as a stream is another")
	}
}

// What is not kept for those who come later is still for those who wait.
func TestFlightTooLargeToKeep(t *testing.T) {
	t.Parallel()
	table, key := newFlights(KeyLimits{Bytes: 1}), flightKey{"alice", "k"}
	big := &mcpbridgev1.CallToolResponse{StructuredContentJson: new("[1]")}
	f, _, _ := table.join(key, flightOf("c", "r"))
	waiting := table.outcome(f)
	table.end(f, big, nil)
	if resp, err := waiting.get(false); resp != big || err != nil {
		t.Errorf("who waited gets %v, %v", resp, err)
	}
	if resp, err := table.outcome(f).get(true); resp != nil || !errors.Is(err, errOutcomeUnknown) || table.bytes != 0 {
		t.Errorf("who comes later gets %v, %v; %d bytes are kept", resp, err, table.bytes)
	}
}

// Room is made for new results also when those before have had their time.
func TestFlightsAreBoundedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 1000
		table := newFlights(KeyLimits{Bytes: most})
		big := &mcpbridgev1.CallToolResponse{StructuredContentJson: new(strings.Repeat("x", most/4))}
		for n := range 20 {
			f, _, err := table.join(flightKey{"alice", strconv.Itoa(n)}, flightOf("c", "r"))
			if err != nil {
				t.Fatal(err)
			}
			table.end(f, big, nil)
			if table.bytes > most || n >= 2 && n%7 != 0 && table.bytes < most/2 {
				t.Errorf("%d bytes are kept after %d results", table.bytes, n+1)
			}
			if n%7 == 6 {
				time.Sleep(flightLife)
			}
		}
	})
}
