package transport

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A Reconnect says how event streams that broke off are taken up again. Zero
// fields take the default.
type Reconnect struct {
	// MinWait and MaxWait bound the wait before a stream is asked for again,
	// whatever the server's retry field says. Default 250 ms and 30 s.
	MinWait, MaxWait time.Duration
	// FirstWait is the wait if the server said nothing. It grows by half with
	// each stream in a row that brought no message. Default 1 s.
	FirstWait time.Duration
	// Tries is how often one call's stream is asked for without getting on by
	// an event id. Default 10.
	Tries int
	// Window is for how long a call is without stream at most. Default 2 min.
	Window time.Duration
}

// The defaults of [Reconnect].
const (
	DefaultReconnectMinWait   = 250 * time.Millisecond
	DefaultReconnectMaxWait   = 30 * time.Second
	DefaultReconnectFirstWait = time.Second
	DefaultReconnectTries     = 10
	DefaultReconnectWindow    = 2 * time.Minute
)

func (r Reconnect) withDefaults() Reconnect {
	orDefault(&r.MinWait, DefaultReconnectMinWait)
	orDefault(&r.MaxWait, DefaultReconnectMaxWait)
	orDefault(&r.FirstWait, DefaultReconnectFirstWait)
	orDefault(&r.Tries, DefaultReconnectTries)
	orDefault(&r.Window, DefaultReconnectWindow)
	return r
}

const (
	// stormWait is up to where waits grow beyond what the server asked for, if
	// stream after stream brings no message. A server may well make its clients
	// poll that way (spec 2025-11-25, basic/transports#sending-messages-to-the-server),
	// so it must not grow much.
	stormWait = 5 * time.Second
	// eventIDBytes bounds the event ids that are sent back.
	eventIDBytes = 4 << 10
)

// A comeback keeps count of the streams that one event stream consists of. It
// is for one goroutine.
type comeback struct {
	policy Reconnect
	events *sseReader

	// before: there was such a stream before all this, whose end the server may not
	// have noticed yet.
	before bool

	id    string    // the event to go on after, empty if there is none
	heard int       // events up to the end of the last stream
	tries int       // streams and attempts since the id moved on
	idle  int       // streams and attempts in a row without any message
	begun time.Time // when the last stream began, zero if there was none
	broke time.Time // when it ended
	after time.Duration
}

// began takes note of a stream.
func (b *comeback) began() { b.begun = time.Now() }

// ended takes note of how far the stream came that has just ended.
func (b *comeback) ended() {
	b.broke, b.after = time.Now(), 0
	if id := usableID(b.events.LastID()); id != b.id {
		b.id, b.tries = id, 0
	}
	if b.events.events > b.heard || b.broke.Sub(b.begun) >= b.policy.MaxWait {
		b.idle = 0
	}
	b.heard = b.events.events
}

// missed takes note of an attempt that brought no stream. The server wants to be
// left alone for as long as after says.
func (b *comeback) missed(after time.Duration) { b.after = after }

// usableID returns id if it can be sent back in a header, else nothing.
func usableID(id string) string {
	if len(id) > eventIDBytes || !httpguts.ValidHeaderFieldValue(id) {
		return ""
	}
	return id
}

// next counts the attempt that comes next and returns how long to wait for it.
// spent reports that a call has had enough of them.
func (b *comeback) next() (wait time.Duration, spent bool) {
	wait = max(b.delay(), b.after)
	spent = b.tries >= b.policy.Tries || time.Since(b.broke)+wait > b.policy.Window
	b.tries++
	b.idle++
	return wait, spent
}

// delay is how long to wait as far as the stream says: "the client MUST respect
// the retry field, waiting the given number of milliseconds before attempting
// to reconnect" (spec 2025-11-25, basic/transports#sending-messages-to-the-server).
func (b *comeback) delay() time.Duration {
	p := &b.policy
	wait, told := b.events.Retry()
	if told {
		wait = max(wait, grown(p.MinWait, b.idle, stormWait))
	} else {
		wait = grown(p.FirstWait, b.idle, p.MaxWait)
		// Not all clients of a server that comes back should come at once.
		wait -= rand.N(wait/4 + 1) //nolint:gosec // nobody gains by foreseeing it
	}
	return min(max(wait, p.MinWait), p.MaxWait)
}

// grown returns wait after it has grown n times by half, up to the limit.
func grown(wait time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && wait < limit; n-- {
		wait += wait / 2
	}
	return min(wait, limit)
}

// pause waits for that long. It returns the cause of ctx if that ends first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
