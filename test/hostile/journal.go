package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Journal is the path of a file in which hostile servers record what they did,
// one JSON object to a line. Several processes may write one journal: each line
// is a single append, made before the client is told anything, so that the
// journal is right about a server that died.
type Journal string

// Event is what happened to a call.
type Event string

const (
	// Executed means that the tool ran.
	Executed Event = "executed"
	// Cancelled means that a call which was being kept waiting was cancelled, or
	// over HTTP that the client hung up on it.
	Cancelled Event = "cancelled"
)

// Entry is one line of a journal.
type Entry struct {
	Event Event  `json:"event"`
	Nonce string `json:"nonce"` // the argument of the call
}

// NewJournal returns an empty journal that is removed when the test ends.
func NewJournal(t testing.TB) Journal {
	t.Helper()
	return Journal(filepath.Join(t.TempDir(), "journal"))
}

// Entries returns what has been recorded so far, in order.
func (j Journal) Entries(t testing.TB) []Entry {
	t.Helper()
	data, err := os.ReadFile(string(j))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("read the journal: %v", err)
	}
	var entries []Entry
	for line := range bytes.Lines(data) {
		var entry Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("journal line %q: %v", line, err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// Count returns how often the event happened to calls with the nonce.
func (j Journal) Count(t testing.TB, event Event, nonce string) int {
	t.Helper()
	count := 0
	for _, entry := range j.Entries(t) {
		if entry.Event == event && entry.Nonce == nonce {
			count++
		}
	}
	return count
}

// journalWriter appends to a journal. It may be used concurrently. The zero value
// records nothing.
type journalWriter struct {
	file *os.File
}

func (j Journal) open() (*journalWriter, error) {
	if j == "" {
		return &journalWriter{}, nil
	}
	file, err := os.OpenFile(string(j), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return &journalWriter{file: file}, nil
}

// write panics if it cannot write: a journal with gaps would prove nothing.
func (w *journalWriter) write(entry Entry) {
	if w.file == nil {
		return
	}
	line, err := json.Marshal(entry)
	if err == nil {
		_, err = w.file.Write(append(line, '\n'))
	}
	if err != nil {
		panic(fmt.Errorf("write the journal: %w", err))
	}
}

func (w *journalWriter) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
