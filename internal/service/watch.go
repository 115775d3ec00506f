package service

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

type (
	watchStream = grpc.ServerStreamingServer[mcpbridgev1.WatchEventsResponse]
	watchEvent  = mcpbridgev1.WatchEventsResponse
)

// WatchEvents implements McpServiceServer.
func (s *Service) WatchEvents(req *mcpbridgev1.WatchEventsRequest, stream watchStream) error {
	if err := checkURIs(req.GetResourceUris()); err != nil {
		return err
	}
	g, err := s.group(stream.Context(), req.GetTarget())
	switch {
	case err != nil:
		return err
	case g != nil:
		return s.watchGroup(g, req, stream)
	}
	reader, err := s.watch(req, stream)
	if err != nil {
		return err
	}
	defer reader.watcher.Close()
	if err := reader.begin(); err != nil {
		return (&call{target: req.GetTarget()}).failed(err)
	}
	return (&call{target: req.GetTarget()}).failed(reader.run())
}

// watch begins to watch a session or server. It, and the reader's begin, are apart
// from what then lasts, since the stack that they take would stay with that.
func (s *Service) watch(req *mcpbridgev1.WatchEventsRequest, stream watchStream) (*watchReader, error) {
	t, err := s.target(stream.Context(), req.GetTarget())
	if err != nil {
		return nil, err
	}
	if t.session != nil && len(req.GetResourceUris()) > 0 {
		return nil, &fieldError{Field: "resource_uris", Problem: "is for servers only: on a session use SubscribeResource"}
	}
	r := &watchReader{stream: stream, target: t.name, format: req.GetJsonFormat()}
	if r.watcher, err = t.Watch(stream.Context(), req.GetResourceUris()); err != nil {
		return nil, (&call{target: req.GetTarget()}).failed(err)
	}
	r.pending = s.questions.pending(t.principal, t.name)
	return r, nil
}

// maxWatchedURIs bounds the resources that one stream is about.
const maxWatchedURIs = 256

func checkURIs(uris []string) error {
	const field = "resource_uris"
	switch {
	case len(uris) > maxWatchedURIs:
		return &fieldError{Field: field, Problem: fmt.Sprintf("are more than %d", maxWatchedURIs)}
	case slices.Contains(uris, ""):
		return &fieldError{Field: field, Problem: "has an empty URI"}
	}
	return nil
}

// A watchReader sends what a watcher gets.
type watchReader struct {
	stream  watchStream
	watcher *pool.Watcher
	format  convert.Format
	// target is the session or server that the events come from, and member its name
	// in the group that is watched; empty if there is none.
	target, member string
	// pending are the questions that wait for an answer as the stream begins.
	pending []*question
	// told are the questions that were told and not taken back: one that is asked
	// as the stream begins comes twice.
	told map[string]struct{}
	// consents are the URLs for consent that were last told, by target.
	consents map[string]string
}

// run sends events until there are no more.
func (r *watchReader) run() error {
	for {
		e, err := r.watcher.Next(r.stream.Context())
		if errors.Is(err, pool.ErrClosed) {
			return r.drain()
		}
		if err != nil {
			return err
		}
		if err := r.pass(e); err != nil {
			return err
		}
	}
}

// begin sends what the stream begins with.
func (r *watchReader) begin() error {
	ready := readyEvent(r.watcher.Status(), r.watcher.Granted())
	if err := r.send(time.Now(), &watchEvent{Event: &mcpbridgev1.WatchEventsResponse_Ready{Ready: ready}}); err != nil {
		return err
	}
	for _, q := range r.pending {
		if err := r.pass(pool.Event{Time: q.asked, Own: q}); err != nil {
			return err
		}
	}
	r.pending = nil
	return nil
}

// drain ends the stream for the bridge's own reasons, which is no failure.
func (r *watchReader) drain() error {
	now := time.Now()
	draining := &mcpbridgev1.Draining{Deadline: timestamppb.New(now)}
	return r.send(now, &watchEvent{Event: &mcpbridgev1.WatchEventsResponse_Draining{Draining: draining}})
}

func (r *watchReader) send(at time.Time, e *watchEvent) error {
	e.Time, e.Member = timestamppb.New(at), r.member
	return r.stream.Send(e)
}

// pass sends an event, if it is one for callers.
func (r *watchReader) pass(e pool.Event) error {
	out := new(watchEvent)
	switch {
	case e.Notification != nil:
		setNotice(out, *e.Notification, r.format)
		if task := out.GetTaskStatus(); task != nil && r.member != "" {
			task.TaskId = groupTaskID(r.target, task.GetTaskId())
		}
	case e.Assumed != nil:
		setAssumed(out, *e.Assumed)
	case e.Change != nil:
		out.Event = &mcpbridgev1.WatchEventsResponse_StateChanged{StateChanged: stateChange(e.Change)}
	case e.Consent != nil:
		r.setConsent(out, e.Consent)
	case e.Own != nil:
		if err := r.setOwn(out, e.Own); err != nil {
			return err
		}
	case e.Dropped > 0:
		out.Event = &mcpbridgev1.WatchEventsResponse_Gap{Gap: &mcpbridgev1.Gap{Dropped: e.Dropped}}
	}
	if out.Event == nil {
		return nil
	}
	return r.send(e.Time, out)
}

// setConsent sets what a person has to do, unless that was the last thing told.
func (r *watchReader) setConsent(out *watchEvent, err error) {
	var consent *oauth.RequiredError
	if !errors.As(err, &consent) || consent.URL == r.consents[r.target] {
		return
	}
	if r.consents == nil {
		r.consents = make(map[string]string)
	}
	r.consents[r.target] = consent.URL
	m := consentMessage(consent)
	m.Target = r.target
	out.Event = &mcpbridgev1.WatchEventsResponse_AuthorizationRequired{AuthorizationRequired: m}
}

// setOwn sets what the service itself has published.
func (r *watchReader) setOwn(out *watchEvent, own any) error {
	switch own := own.(type) {
	case *question:
		if _, again := r.told[own.id]; again {
			return nil
		}
		if r.told == nil {
			r.told = make(map[string]struct{})
		}
		r.told[own.id] = struct{}{}
		request, err := own.message(r.format)
		if err != nil {
			return err
		}
		own.show()
		out.Event = &mcpbridgev1.WatchEventsResponse_Request{Request: request}
	case withdrawal:
		delete(r.told, own.id)
		out.Event = &mcpbridgev1.WatchEventsResponse_RequestCancelled{RequestCancelled: own.message()}
	}
	return nil
}

// setNotice sets what a server has sent.
func setNotice(out *watchEvent, msg jsonrpc.Message, format convert.Format) {
	switch m := noticeOf(msg, format, nil).(type) {
	case *mcpbridgev1.Progress:
		out.Event = &mcpbridgev1.WatchEventsResponse_Progress{Progress: m}
	case *mcpbridgev1.LogMessage:
		out.Event = &mcpbridgev1.WatchEventsResponse_Log{Log: m}
	case *mcpbridgev1.ListChanged:
		setListChanged(out, msg.Method, m)
	case *mcpbridgev1.ResourceUpdated:
		out.Event = &mcpbridgev1.WatchEventsResponse_ResourceUpdated{ResourceUpdated: m}
	case *mcpbridgev1.ElicitationComplete:
		out.Event = &mcpbridgev1.WatchEventsResponse_ElicitationComplete{ElicitationComplete: m}
	case *mcpbridgev1.Task:
		out.Event = &mcpbridgev1.WatchEventsResponse_TaskStatus{TaskStatus: m}
	default:
		out.Event = &mcpbridgev1.WatchEventsResponse_Notification{Notification: unknownNotice(msg)}
	}
}

func setListChanged(out *watchEvent, method string, m *mcpbridgev1.ListChanged) {
	switch method {
	case notificationTools:
		out.Event = &mcpbridgev1.WatchEventsResponse_ToolsChanged{ToolsChanged: m}
	case notificationPrompts:
		out.Event = &mcpbridgev1.WatchEventsResponse_PromptsChanged{PromptsChanged: m}
	case notificationResources:
		out.Event = &mcpbridgev1.WatchEventsResponse_ResourcesChanged{ResourcesChanged: m}
	}
}

// setAssumed sets what a server may have told while nobody could hear it.
func setAssumed(out *watchEvent, a pool.Assumed) {
	if a.Method == notificationUpdated {
		updated := &mcpbridgev1.ResourceUpdated{Uri: a.URI, Assumed: true}
		out.Event = &mcpbridgev1.WatchEventsResponse_ResourceUpdated{ResourceUpdated: updated}
		return
	}
	setListChanged(out, a.Method, &mcpbridgev1.ListChanged{Assumed: true})
}

func stateChange(c *pool.Change) *mcpbridgev1.StateChanged {
	out := &mcpbridgev1.StateChanged{State: stateOf(c.To), Previous: stateOf(c.From), Generation: c.Generation}
	if c.Err != nil {
		out.Failure = failureOf(&pool.Failure{Time: time.Now(), Err: c.Err})
	}
	return out
}
