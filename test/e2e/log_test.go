package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A logbook keeps what a bridge writes to its stderr. The zero value is empty.
type logbook struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// A record is a line of JSON in a log.
type record map[string]any

// text returns a member, empty if it is not there or no text.
func (r record) text(key string) string {
	text, _ := r[key].(string)
	return text
}

func (l *logbook) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logbook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// tail returns the last lines.
func (l *logbook) tail() string {
	const enough = 100
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-enough):], "\n")
}

// records returns the records with that message.
func (l *logbook) records(message string) []record {
	l.mu.Lock()
	lines := slices.Clone(l.lines)
	l.mu.Unlock()
	var found []record
	for _, line := range lines {
		var r record
		if json.Unmarshal([]byte(line), &r) == nil && r.text("msg") == message {
			found = append(found, r)
		}
	}
	return found
}

// wait waits for a record with that message, and fails the test if the program
// ends or the time is over before there is one.
func (l *logbook) wait(t *testing.T, ended <-chan struct{}, message string) record {
	t.Helper()
	deadline := time.Now().Add(startBound)
	for {
		over := time.Now().After(deadline)
		select {
		case <-ended:
			over = true
		case <-time.After(pollInterval):
		}
		if found := l.records(message); len(found) > 0 {
			return found[0]
		}
		if over {
			t.Fatalf("no record %q in the log:\n%s", message, l.text())
		}
	}
}
