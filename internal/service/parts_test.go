package service

import (
	"fmt"
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

func TestFollower(t *testing.T) {
	t.Parallel()
	f := &follower{level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_WARNING, token: []byte(`"mine"`)}
	event := func(method, params string) *toolEvent {
		t.Helper()
		e, err := f.event(callEvent{Message: jsonrpc.Message{Method: method, Params: []byte(params)}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := event("notifications/progress", `{"progressToken":7,"progress":1,"total":2}`)
	if p := e.GetProgress(); p.GetProgress() != 1 || p.GetTotal() != 2 || p.GetProgressToken().GetStringValue() != "mine" {
		t.Errorf("progress %v", e)
	}
	f.token = nil
	e = event("notifications/progress", `{"progressToken":7,"progress":1}`)
	if p := e.GetProgress(); p.ProgressToken != nil || p.Total != nil {
		t.Errorf("the bridge's token shows: %v", e)
	}
	if e = event("notifications/message", `{"level":"info","data":"x"}`); e != nil {
		t.Errorf("below the level: %v", e)
	}
	e = event("notifications/message", `{"level":"error","data":{"a":1}}`)
	if e.GetLog().GetLevel() != mcpbridgev1.LoggingLevel_LOGGING_LEVEL_ERROR || e.GetLog().GetData() == nil {
		t.Errorf("log %v", e)
	}
	e = event("notifications/new", `{"x":1.0}`)
	if e.GetNotification().GetMethod() != "notifications/new" || e.GetNotification().GetParamsJson() != `{"x":1.0}` {
		t.Errorf("an unknown notification became %v", e)
	}
	e = event("notifications/resources/updated", `{"uri":"u"}`)
	if e.GetNotification().GetMethod() != "notifications/resources/updated" {
		t.Errorf("a notification that belongs to no call became %v", e)
	}
}
