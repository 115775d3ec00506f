package service

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

func TestPaginate(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("%03d", i))
	}
	var got []string
	token := ""
	for pages := 1; ; pages++ {
		page, next, err := paginate(all, 0, token, func(s string) string { return s })
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if token = next; token == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		all = all[1:] // what goes between two pages must not hide another
	}
	if len(got) != 250 || got[249] != "249" {
		t.Errorf("%d items, the last %q", len(got), got[len(got)-1])
	}
	if _, _, err := paginate(all, -1, "", func(s string) string { return s }); err == nil {
		t.Error("a negative size passed")
	}
	if _, _, err := paginate(all, 1, "!", func(s string) string { return s }); err == nil {
		t.Error("a forged token passed")
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"", "abc", "a:b", "7:"} {
		generation, back, err := parseCursor(formatCursor(7, &server))
		if err != nil || generation != 7 || back == nil || *back != server {
			t.Errorf("%q became %v of %d, %v", server, back, generation, err)
		}
	}
	if formatCursor(7, nil) != nil {
		t.Error("an end became a cursor")
	}
	for _, bad := range []string{"", "abc", ":x", "0:x", "-1:x"} {
		if _, _, err := parseCursor(proto.String(bad)); err == nil {
			t.Errorf("%q passed for a cursor", bad)
		}
	}
}

func TestEventQueue(t *testing.T) {
	t.Parallel()
	q := newEventQueue()
	for i := range maxQueuedEvents + 10 {
		q.add(jsonrpc.Message{Method: fmt.Sprint(i)})
	}
	q.close()
	for i := range maxQueuedEvents {
		msg, dropped, more := q.next()
		if !more || dropped != 0 || msg.Method != fmt.Sprint(i) {
			t.Fatalf("event %d: %q, %d dropped, more %v", i, msg.Method, dropped, more)
		}
	}
	if _, dropped, more := q.next(); more || dropped != 10 {
		t.Errorf("at the end: %d dropped, more %v", dropped, more)
	}
	q = newEventQueue()
	for range maxQueuedEvents + 1 {
		q.add(jsonrpc.Message{Method: "x"})
	}
	q.next()
	q.add(jsonrpc.Message{Method: "after the gap"})
	q.close()
	for range maxQueuedEvents - 1 {
		if msg, _, _ := q.next(); msg.Method != "x" {
			t.Fatalf("%q came before the gap", msg.Method)
		}
	}
	if _, dropped, _ := q.next(); dropped != 2 {
		t.Errorf("%d dropped", dropped)
	}
	q = newEventQueue()
	big := []byte(strings.Repeat("x", maxQueuedBytes/2+1))
	q.add(jsonrpc.Message{Params: big})
	q.add(jsonrpc.Message{Params: big})
	q.close()
	if msg, _, more := q.next(); !more || msg.Params == nil {
		t.Error("the first event is gone")
	}
	if _, dropped, _ := q.next(); dropped != 1 {
		t.Errorf("%d dropped beyond the bytes", dropped)
	}
}

func TestFollower(t *testing.T) {
	t.Parallel()
	f := &follower{level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_WARNING, token: []byte(`"mine"`)}
	e := f.event(jsonrpc.Message{Method: "notifications/progress", Params: []byte(`{"progressToken":7,"progress":1,"total":2}`)})
	if p := e.GetProgress(); p.GetProgress() != 1 || p.GetTotal() != 2 || p.GetProgressToken().GetStringValue() != "mine" {
		t.Errorf("progress %v", e)
	}
	f.token = nil
	e = f.event(jsonrpc.Message{Method: "notifications/progress", Params: []byte(`{"progressToken":7,"progress":1}`)})
	if p := e.GetProgress(); p.ProgressToken != nil || p.Total != nil {
		t.Errorf("the bridge's token shows: %v", e)
	}
	if e = f.event(jsonrpc.Message{Method: "notifications/message", Params: []byte(`{"level":"info","data":"x"}`)}); e != nil {
		t.Errorf("below the level: %v", e)
	}
	e = f.event(jsonrpc.Message{Method: "notifications/message", Params: []byte(`{"level":"error","data":{"a":1}}`)})
	if e.GetLog().GetLevel() != mcpbridgev1.LoggingLevel_LOGGING_LEVEL_ERROR || e.GetLog().GetData() == nil {
		t.Errorf("log %v", e)
	}
	e = f.event(jsonrpc.Message{Method: "notifications/new", Params: []byte(`{"x":1.0}`)})
	if e.GetNotification().GetMethod() != "notifications/new" || e.GetNotification().GetParamsJson() != `{"x":1.0}` {
		t.Errorf("an unknown notification became %v", e)
	}
}
