package service

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/queue"
)

// How a member is watched again that could not be watched.
const (
	firstRewatch = time.Second
	lastRewatch  = 30 * time.Second
	// readyWait is how long a stream waits for members that cannot be watched yet
	// before it says that it is ready.
	readyWait = 5 * time.Second
)

// A groupWatch is one WatchEvents on a group: a watcher of each member, whose
// events come together in one queue.
type groupWatch struct {
	service *Service
	group   *group.Group
	ctx     context.Context //nolint:containedctx // the stream's, whose goroutines these are
	events  *queue.Queue[groupEvent]
	members map[string]context.CancelFunc
	running sync.WaitGroup
}

// A groupEvent is what a member told, or what became of the group itself.
type groupEvent struct {
	member, target string
	event          pool.Event
	group          *group.Event
}

// watchGroup merges what the members of a group tell.
func (s *Service) watchGroup(g *group.Group, req *mcpbridgev1.WatchEventsRequest, stream watchStream) error {
	if len(req.GetResourceUris()) > 0 {
		return &fieldError{Field: "resource_uris", Problem: "is for servers only: in a group use SubscribeResource"}
	}
	ctx, cancel := context.WithCancel(stream.Context())
	w := &groupWatch{
		service: s, group: g, ctx: ctx, members: make(map[string]context.CancelFunc),
		events: queue.New[groupEvent](4*queue.DefaultItems, 4*queue.DefaultBytes),
	}
	defer w.running.Wait()
	defer cancel()
	members, stop := g.Watch(w.tell)
	defer stop()
	w.begin(members)
	reader := &watchReader{stream: stream, format: req.GetJsonFormat()}
	return (&call{target: req.GetTarget()}).failed(w.run(reader))
}

// tell queues what became of the group. Members that come and go are its owner's
// doing, and are never missed.
func (w *groupWatch) tell(e group.Event) {
	if len(e.LeftOut) > 0 {
		w.events.Add(groupEvent{group: &e}, 0)
		return
	}
	w.events.Keep(groupEvent{group: &e}, 0)
}

// begin watches the first members, and waits a while until it does.
func (w *groupWatch) begin(members []group.Member) {
	var tried sync.WaitGroup
	for _, m := range members {
		tried.Add(1)
		w.follow(m, tried.Done)
	}
	all := make(chan struct{})
	w.running.Go(func() { tried.Wait(); close(all) })
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	select {
	case <-all:
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// run sends events until there are no more.
func (w *groupWatch) run(r *watchReader) error {
	ready := &mcpbridgev1.Ready{State: w.state()}
	if err := r.send(time.Now(), &watchEvent{Event: &mcpbridgev1.WatchEventsResponse_Ready{Ready: ready}}); err != nil {
		return err
	}
	for {
		e, dropped, err := w.events.Next(w.ctx)
		r.member, r.target = e.member, e.target
		switch {
		case errors.Is(err, pool.ErrClosed):
			return r.drain()
		case err != nil:
			return err
		case dropped > 0:
			err = r.pass(pool.Event{Time: time.Now(), Dropped: dropped})
		case e.group != nil:
			err = w.changed(r, *e.group)
		default:
			for _, k := range changes(e.event) {
				w.group.Changed(e.member, k) // before the caller lists again
			}
			err = r.pass(e.event)
		}
		if err != nil {
			return err
		}
	}
}

// state is that of the group: READY if any member is.
func (w *groupWatch) state() mcpbridgev1.State {
	state := mcpbridgev1.State_STATE_UNSPECIFIED
	for _, m := range w.group.Members() {
		t, err := w.service.target(w.ctx, m.Target)
		of := memberMessage(m, t, err).GetState()
		if of == mcpbridgev1.State_STATE_READY {
			return of
		}
		state = cmp.Or(state, of)
	}
	return cmp.Or(state, mcpbridgev1.State_STATE_IDLE)
}

// changed acts on what became of the group, and tells of it.
func (w *groupWatch) changed(r *watchReader, e group.Event) error {
	now := time.Now()
	switch {
	case e.Over:
		return &group.NotFoundError{Group: w.group.ID}
	case len(e.LeftOut) > 0:
		logger := "mcpbridge"
		text := "left out, since the names are taken: " + strings.Join(e.LeftOut, ", ")
		log := &mcpbridgev1.LogMessage{Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_WARNING, Logger: &logger, Data: structpb.NewStringValue(clip(text))}
		return r.send(now, &watchEvent{Event: &mcpbridgev1.WatchEventsResponse_Log{Log: log}})
	case e.Added != nil:
		w.follow(*e.Added, func() {})
	case e.Removed != nil:
		if cancel := w.members[e.Removed.Name]; cancel != nil {
			cancel()
			delete(w.members, e.Removed.Name)
		}
	}
	for _, method := range []string{notificationTools, notificationResources, notificationPrompts} {
		out := new(watchEvent)
		setListChanged(out, method, &mcpbridgev1.ListChanged{})
		if err := r.send(now, out); err != nil {
			return err
		}
	}
	return nil
}

// follow watches a member until it is removed or the stream ends. tried is called
// after the first attempt.
func (w *groupWatch) follow(m group.Member, tried func()) {
	if w.members[m.Name] != nil {
		tried()
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	w.members[m.Name] = cancel
	f := &memberWatch{groupWatch: w, member: m, tried: sync.OnceFunc(tried)}
	w.running.Go(func() {
		defer f.tried()
		defer cancel()
		if err := recovered(func() error { return f.run(ctx) }); err != nil && ctx.Err() == nil {
			w.events.Close(err)
		}
	})
}

// A memberWatch watches one member.
type memberWatch struct {
	*groupWatch

	member group.Member
	tried  func()
	// failed: it is known that it cannot be watched.
	failed bool
}

// run watches the member, and again if that ends. It returns when the member is
// gone for good, or with why the whole stream is to end.
func (f *memberWatch) run(ctx context.Context) error {
	for pause := firstRewatch; ; pause = min(2*pause, lastRewatch) {
		began := time.Now()
		err := f.watch(ctx)
		f.tried()
		if errors.Is(err, pool.ErrClosed) {
			return err
		}
		if isGone(err) {
			if !f.group.Configured { // to this caller there is no such server
				f.report(pool.Shutdown, err)
			}
			return nil
		}
		f.fail(err)
		if time.Since(began) > lastRewatch {
			pause = firstRewatch
		}
		var connect *pool.ConnectError
		if errors.As(err, &connect) {
			pause = max(pause, connect.RetryAfter)
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

// fail says why the member cannot be watched: once, unless a person can help.
func (f *memberWatch) fail(err error) {
	var consent *oauth.RequiredError
	needed := errors.As(err, &consent)
	switch {
	case f.failed:
	case needed:
		f.report(pool.NeedsAuthorization, err)
	default:
		f.report(pool.TransientFailure, err)
	}
	f.failed = true
	if needed {
		waits(err, f.member.Target)
		f.add(pool.Event{Time: time.Now(), Consent: err})
	}
}

// sleep waits for a time, and reports whether ctx goes on after it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch hands on what the member tells, until it tells no more.
func (f *memberWatch) watch(ctx context.Context) error {
	t, err := f.service.target(ctx, f.member.Target)
	if err != nil {
		return err
	}
	watcher, err := t.Watch(ctx, nil)
	if err != nil {
		return err
	}
	defer watcher.Close()
	if f.failed {
		f.failed = false
		f.report(watcher.Status().State, nil)
	}
	for _, q := range f.service.questions.pending(auth.FromContext(ctx).ID, t.name) {
		f.add(pool.Event{Time: q.asked, Own: q})
	}
	f.tried()
	for {
		e, err := watcher.Next(ctx)
		if err != nil {
			return err
		}
		f.add(e)
	}
}

// report says in which state the member is, which no watcher says.
func (f *memberWatch) report(to pool.State, err error) {
	change := &pool.Change{From: pool.TransientFailure, To: to, Err: err}
	if err != nil {
		change.From = pool.Idle
	}
	f.add(pool.Event{Time: time.Now(), Change: change})
}

// add queues an event. Questions are never dropped, but end the stream of who
// leaves too many of them unread.
func (f *memberWatch) add(e pool.Event) {
	out := groupEvent{member: f.member.Name, target: f.member.Target, event: e}
	switch own := e.Own.(type) {
	case nil:
	case *question:
		f.events.Keep(out, len(own.Params))
		return
	default:
		f.events.Keep(out, 0)
		return
	}
	switch {
	case e.Notification != nil:
		f.events.Add(out, len(e.Notification.Method)+len(e.Notification.Params))
	default:
		f.events.Add(out, 0)
	}
}
