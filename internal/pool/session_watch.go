package pool

import (
	"context"
	"errors"
)

// errURIs: what a session is told of is said by Subscribe.
var errURIs = errors.New("a session watches the resources that it subscribes to")

// Watch implements [Target]. The watcher gets what the session subscribes to,
// what is published to the session, and what else its upstream tells.
func (s *Session) Watch(ctx context.Context, uris []string) (*Watcher, error) {
	if len(uris) > 0 {
		return nil, errURIs
	}
	s.use(1)
	u, err := s.join()
	if err != nil {
		s.use(-1)
		return nil, err
	}
	w, err := u.watch(ctx, &s.interest)
	if err != nil {
		s.use(-1)
		return nil, err
	}
	leave := w.leave
	w.leave = func() {
		leave()
		s.use(-1)
	}
	return w, nil
}

// Observe watches what is told to all who use the session's server, such as that
// a list has changed, and nothing that is the session's own. It does not count as
// use of the session. The caller closes the Watcher.
func (s *Session) Observe(ctx context.Context) (*Watcher, error) {
	u, err := s.upstream()
	if err != nil {
		return nil, err
	}
	return u.Watch(ctx, nil)
}

// Publish hands v, of that many bytes, to the session's watchers, in order with
// everything else. It is not dropped for those that read slowly; a watcher that
// does not take what was published before ends with [queue.ErrSlow] instead. It
// returns how many got it. It never blocks.
func (s *Session) Publish(v any, size int) (watchers int) {
	s.mu.Lock()
	u := s.joined
	s.mu.Unlock()
	if u == nil {
		return 0
	}
	u.hub.mu.Lock()
	defer u.hub.mu.Unlock()
	return s.interest.publish(v, size)
}

// join returns the upstream whose hub has the session's interest from now on.
// The session is in use.
func (s *Session) join() (*Upstream, error) {
	u, err := s.upstream()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over != nil {
		return nil, s.over
	}
	s.joined = u
	return u, nil
}

// quit takes the session's interest back for good, and ends its watchers.
func (s *Session) quit(err error) {
	s.mu.Lock()
	s.over = err
	u := s.joined
	s.mu.Unlock()
	if u == nil {
		return
	}
	u.amend(&s.interest, func() bool {
		s.interest.end(err)
		return true
	})
}
