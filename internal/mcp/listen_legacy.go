package mcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// legacyListening listens on a legacy session: there is one subscription for
// each resource, and a way in for what belongs to no request.
type legacyListening struct {
	session *Session
	// gap and lost are those of [Session.Listen].
	gap, lost func()
	way       *wayIn // nil while there is none
	// subscribed are the resources that the server reports on.
	subscribed map[string]bool
}

func (l *legacyListening) set(ctx context.Context, want Filter) (Filter, error) {
	if len(want.URIs) > 0 && !l.session.Info().Declares("resources", "subscribe") {
		return Filter{}, &UnsupportedError{What: methodSubscribe}
	}
	if l.way == nil {
		l.way = l.session.openWay(l.gap, l.lost)
	}
	if err := l.way.wait(ctx); err != nil {
		return Filter{}, err
	}
	err := l.subscribe(ctx, want.URIs)
	return l.granted(want), err
}

// granted: without a way in, what belongs to no request has nowhere to come.
func (l *legacyListening) granted(want Filter) Filter {
	if l.way.missing() {
		return Filter{}
	}
	info := l.session.Info()
	granted := Filter{
		Tools:     want.Tools && info.Declares("tools", "listChanged"),
		Prompts:   want.Prompts && info.Declares("prompts", "listChanged"),
		Resources: want.Resources && info.Declares("resources", "listChanged"),
		URIs:      slices.DeleteFunc(want.URIs, func(uri string) bool { return !l.subscribed[uri] }),
	}
	if info.Declares("tasks") {
		granted.Tasks = want.Tasks
	}
	return granted
}

// subscribe makes uris the resources that are subscribed to. It returns the
// first refusal; any other error ends it at once.
func (l *legacyListening) subscribe(ctx context.Context, uris []string) error {
	var refusal error
	for _, uri := range slices.Sorted(maps.Keys(l.subscribed)) {
		if slices.Contains(uris, uri) {
			continue
		}
		// A server that refuses has no such subscription.
		if err := l.call(ctx, methodUnsubscribe, uri); err != nil && !answered(err) {
			return err
		}
		delete(l.subscribed, uri)
	}
	for _, uri := range uris {
		if l.subscribed[uri] {
			continue
		}
		switch err := l.call(ctx, methodSubscribe, uri); {
		case err == nil:
			if l.subscribed == nil {
				l.subscribed = make(map[string]bool)
			}
			l.subscribed[uri] = true
		case !answered(err):
			return err
		case refusal == nil:
			refusal = err
		}
	}
	return refusal
}

func (l *legacyListening) call(ctx context.Context, method, uri string) error {
	params := append(rawjson.AppendString([]byte(`{"uri":`), uri), '}')
	if _, err := l.session.Call(ctx, &Call{Method: method, Params: params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// answered reports whether err is the server's own.
func answered(err error) bool {
	var je *jsonrpc.Error
	return errors.As(err, &je)
}

func (l *legacyListening) close() {
	if l.way != nil {
		l.way.close()
		l.way = nil
	}
}
