//go:build unix

package transport

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// debugLog returns a logger of every level. What it has written may be read when
// nobody logs any more.
func debugLog() (*slog.Logger, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), log
}

func TestStdioLogs(t *testing.T) {
	t.Parallel()
	logger, log := debugLog()
	cfg := childConfig(t, "serve")
	cfg.Logger = logger
	cfg.Env = append(cfg.Env, "TOKEN=secret-1")
	c := dialStdio(t, cfg, ignore)
	callStdio(t, c, 1, "echo", `"secret-2"`)
	params, _ := json.Marshal(rawAnswer{Text: []byte("not \x1b[31m MCP\n" + `{"id":#,"result":"secret-3"}` + "\n")})
	callStdio(t, c, 2, "raw", string(params))
	_, err := c.RoundTrip(short(t), &Request{ID: 3, Method: "exit"})
	wantError(t, err, KindExited, Unknown)
	closeNow(t, c)
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log tells what it should not: %s", log)
	}
	var lines []string
	for _, r := range readLog(t, log) {
		if r.PID != pidOf(c) {
			t.Errorf("logged for process %d, want %d", r.PID, pidOf(c))
		}
		if r.Line != "" {
			lines = append(lines, r.Line)
		}
	}
	slices.Sort(lines)
	want := []string{`"Traceback: out of cheese"`, `"loading"`, `"not \x1b[31m MCP"`}
	if !slices.Equal(lines, want) {
		t.Errorf("got the lines %q, want %q", lines, want)
	}
}

// A logged is what a test looks at of a log record.
type logged struct {
	PID        int
	Line       string
	Suppressed int
}

func readLog(t *testing.T, log *bytes.Buffer) (records []logged) {
	t.Helper()
	for d := json.NewDecoder(log); d.More(); {
		var r logged
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func TestLineLogger(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("l", 2*quotedBytes)
	tests := map[string]struct {
		pieces []string
		want   []string
	}{
		"lines":           {[]string{"one\ntwo\r\n"}, []string{"one", "two"}},
		"in pieces":       {[]string{"o", "ne", "\n", "tw", "o\n"}, []string{"one", "two"}},
		"blank lines":     {[]string{"\n\r\none\n\n"}, []string{"one"}},
		"no end":          {[]string{"one\ntwo"}, []string{"one", "two"}},
		"control bytes":   {[]string{"\x1b[31mred\x00\xff\n"}, []string{"\x1b[31mred\x00\xff"}},
		"long":            {[]string{long + "\nnext\n"}, []string{long[:quotedBytes], "next"}},
		"long, in pieces": {[]string{long, long, "\nnext\n"}, []string{long[:quotedBytes], "next"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logger, log := debugLog()
			l := &lineLogger{log: logger, quota: quota{max: 100, window: time.Hour}}
			for _, piece := range tt.pieces {
				if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatalf("Write returned %d, %v", n, err)
				}
			}
			l.flush()
			records := readLog(t, log)
			if len(records) != len(tt.want) {
				t.Fatalf("got %+v, want %q", records, tt.want)
			}
			for i, r := range records {
				if r.Line != strconv.Quote(tt.want[i]) {
					t.Errorf("got %s, want %q", r.Line, tt.want[i])
				}
			}
		})
	}
}

func TestLineLoggerIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, log := debugLog()
		l := &lineLogger{log: logger, quota: quota{max: 3, window: time.Second}}
		_, _ = l.Write([]byte(strings.Repeat("a\n", 10)))
		time.Sleep(time.Second)
		_, _ = l.Write([]byte("b\n"))
		records := readLog(t, log)
		if want := (logged{Line: `"b"`, Suppressed: 7}); len(records) != 4 || records[3] != want {
			t.Errorf("got %+v, want 4 records with the last %+v", records, want)
		}
	})
}
