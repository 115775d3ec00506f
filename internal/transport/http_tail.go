package transport

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// How long, and how much, a reply is read on after all that matters has come.
const (
	tailTime  = 10 * time.Millisecond
	tailBytes = 64 << 10
	// A server whose streams stayed open tailTries times in a row is given the
	// time only for one reply in tailEvery.
	tailTries = 3
	tailEvery = 16
)

// tails reads replies to their end. A connection of HTTP/1.1 can be used again
// only then; most servers end the stream in the same breath as the response,
// but some keep it open, and waiting for those would cost every call.
type tails struct {
	lingering atomic.Int32 // streams in a row that stayed open
	calls     atomic.Uint32
}

// read calls next until it fails, for no longer than tailTime.
func (t *tails) read(c *httpCall, next func() error) {
	if t.lingering.Load() >= tailTries && t.calls.Add(1)%tailEvery != 0 {
		return
	}
	timer := time.AfterFunc(tailTime, func() { c.cancel(errLingers) })
	defer timer.Stop()
	for {
		err := next()
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			t.lingering.Store(0)
		} else {
			t.lingering.Add(1)
		}
		return
	}
}
