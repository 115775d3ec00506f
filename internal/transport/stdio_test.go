//go:build unix

package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// childConfig is the configuration that starts the test binary as a child.
func childConfig(tb testing.TB, mode string) StdioConfig {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	// The race detector would keep every child for another second, and one that
	// measures coverage would complain on stderr.
	env := []string{childModeEnv + "=" + mode, "GORACE=atexit_sleep_ms=0"}
	if testing.CoverMode() != "" {
		env = append(env, "GOCOVERDIR="+tb.TempDir())
	}
	return StdioConfig{Command: self, Env: env}
}

// dialStdio starts a child, which ends with the test.
func dialStdio(tb testing.TB, cfg StdioConfig, r Receiver) *stdioConn {
	tb.Helper()
	tr, err := NewStdio(cfg).Dial(tb.Context(), r)
	if err != nil {
		tb.Fatal(err)
	}
	c := tr.(*stdioConn)
	tb.Cleanup(func() { closeNow(tb, c) })
	return c
}

// closeNow closes c in the staged way, within bounds.
func closeNow(tb testing.TB, c *stdioConn) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		tb.Error(err)
	}
}

// short bounds whatever should end long before.
func short(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// callStdio makes a round trip that must succeed and returns the result.
func callStdio(tb testing.TB, c *stdioConn, id int64, method, params string) string {
	tb.Helper()
	resp, err := c.RoundTrip(short(tb), &Request{ID: id, Method: method, Params: []byte(params)})
	if err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
	if resp.Error != nil {
		tb.Fatalf("%s: %v", method, resp.Error)
	}
	return string(resp.Result)
}

func TestStdioPeer(t *testing.T) {
	t.Parallel()
	want := Peer{Transport: "stdio", Network: "pipe", Stream: true}
	if got := NewStdio(StdioConfig{}).Peer(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStdioAnswersOutOfOrder(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	var id, sent atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for range 20 {
				n := id.Add(1)
				params := fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, strings.Repeat("p", int(n%500)))
				resp, err := c.RoundTrip(short(t), &Request{
					ID: n, Method: "later", Params: params, OnSend: func() { sent.Add(1) },
				})
				if err != nil {
					t.Errorf("call %d: %v", n, err)
				} else if !bytes.Equal(resp.Result, params) {
					t.Errorf("call %d got %s", n, resp.Result)
				}
			}
		})
	}
	callers.Wait()
	if sent.Load() != id.Load() {
		t.Errorf("OnSend was called %d times for %d requests", sent.Load(), id.Load())
	}
}

func TestStdioMessagesAreOneLine(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	tests := map[string]struct{ params, want string }{
		"as it is":        {`{"a": 1.0}`, `{"a": 1.0}`},
		"line breaks":     {"{\r\n  \"a\": 1,\n  \"b\": \"c d\"\n}", `{"a":1,"b":"c d"}`},
		"line separators": {"{\"a\":\"\u2028\u2029\"}", `{"a":"\u2028\u2029"}`},
	}
	var id atomic.Int64
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := id.Add(1)
			var line string
			if err := json.Unmarshal([]byte(callStdio(t, c, n, "line", tt.params)), &line); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"line","params":%s}`+"\n", n, tt.want)
			if line != want {
				t.Errorf("child got %q, want %q", line, want)
			}
		})
	}
	t.Run("break within a string", func(t *testing.T) {
		inject := []byte("{\"a\":\"\n{}\n\"}")
		_, err := c.RoundTrip(short(t), &Request{ID: 99, Method: "line", Params: inject})
		wantError(t, err, KindProtocol, NotSent)
		wantError(t, c.Send(short(t), &Message{Body: inject}), KindProtocol, NotSent)
	})
}

func TestStdioReceiver(t *testing.T) {
	t.Parallel()
	var got []string
	arrived := make(chan struct{})
	c := dialStdio(t, childConfig(t, "banner"), func(m jsonrpc.Message, call int64) {
		got = append(got, fmt.Sprintf("%s %s %d", m.Method, m.ID, call))
		if len(got) == 3 {
			close(arrived)
		}
	})
	text := `{"jsonrpc":"2.0","id":"q-1","method":"roots/list"}` + "\n" +
		`[{"jsonrpc":"2.0","method":"notifications/progress"},{"jsonrpc":"2.0","id":#,"result":{}}]` + "\n"
	params, _ := json.Marshal(rawAnswer{Text: []byte(text)})
	callStdio(t, c, 1, "raw", string(params))
	select {
	case <-arrived:
	case <-short(t).Done():
		t.Fatal("the messages did not arrive")
	}
	want := []string{"notifications/hello  0", `roots/list "q-1" 0`, "notifications/progress  0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStdioSend(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	// The child answers even this one; that nobody waits for the answer must do no harm.
	body := "{\"jsonrpc\":\"2.0\",\n\"id\":77,\"method\":\"echo\",\"params\":{}}"
	if err := c.Send(short(t), &Message{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	callStdio(t, c, 1, "echo", `{}`)
	if n := c.calls.stray.Load(); n != 1 {
		t.Errorf("%d stray responses, want 1", n)
	}
}

func TestStdioDialFails(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]StdioConfig{
		"no command":        {},
		"not there":         {Command: filepath.Join(t.TempDir(), "nothing")},
		"not in PATH":       {Command: "mcpbridge-no-such-program"},
		"not a program":     {Command: plain},
		"no directory":      {Command: "true", Dir: filepath.Join(t.TempDir(), "nothing")},
		"NUL in argument":   {Command: "true", Args: []string{"a\x00b"}},
		"NUL in variable":   {Command: "true", Env: []string{"A=\x00"}},
		"shell is no shell": {Command: "true; true"},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewStdio(cfg).Dial(t.Context(), ignore)
			wantError(t, err, KindUnreachable, NotSent)
		})
	}
	t.Run("context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		_, err := NewStdio(childConfig(t, "serve")).Dial(ctx, ignore)
		wantError(t, err, KindCanceled, NotSent)
		if e := asError(t, err); !errors.Is(e, cause) {
			t.Errorf("got %v, want the cause", e)
		}
	})
}

func TestStdioEnvironment(t *testing.T) {
	t.Setenv("MCPBRIDGE_CANARY", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("SHELL", "() { :; }; secret")
	t.Setenv("USER", "ours")
	cfg := childConfig(t, "serve")
	cfg.Env = append(cfg.Env, "USER=theirs", "EXTRA=a b")
	var env []string
	if err := json.Unmarshal([]byte(callStdio(t, dialStdio(t, cfg, ignore), 1, "env", `{}`)), &env); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HOME=/home/somebody", "PATH=" + os.Getenv("PATH"), "USER=theirs", "EXTRA=a b"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing in %q", want, env)
		}
	}
	if text := strings.Join(env, "\n"); strings.Contains(text, "secret") || strings.Contains(text, "USER=ours") {
		t.Errorf("the child sees what it should not: %q", env)
	}
}

func TestStdioCommandIsLookedUpInTheChildsPath(t *testing.T) {
	t.Parallel()
	cfg := childConfig(t, "serve")
	dir := t.TempDir()
	if err := os.Symlink(cfg.Command, filepath.Join(dir, "my-server")); err != nil {
		t.Fatal(err)
	}
	t.Run("by name", func(t *testing.T) {
		t.Parallel()
		cfg := cfg
		cfg.Command = "my-server"
		cfg.Env = append(slices.Clone(cfg.Env), "PATH=relative:"+dir)
		callStdio(t, dialStdio(t, cfg, ignore), 1, "echo", `{}`)
	})
	t.Run("relative to the directory", func(t *testing.T) {
		t.Parallel()
		cfg := cfg
		cfg.Command, cfg.Dir = "./my-server", dir
		callStdio(t, dialStdio(t, cfg, ignore), 1, "echo", `{}`)
	})
}

func TestStdioContextEnds(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	t.Run("before the call", func(t *testing.T) {
		t.Parallel()
		c := dialStdio(t, childConfig(t, "serve"), ignore)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := c.RoundTrip(ctx, &Request{ID: 1, Method: "echo"})
		wantError(t, err, KindCanceled, NotSent)
		if e := asError(t, err); !errors.Is(e, cause) {
			t.Errorf("got %v, want the cause", e)
		}
		wantError(t, c.Send(ctx, &Message{Body: []byte("{}")}), KindCanceled, NotSent)
	})
	t.Run("while the answer is awaited", func(t *testing.T) {
		t.Parallel()
		c := dialStdio(t, childConfig(t, "serve"), ignore)
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := c.RoundTrip(ctx, &Request{ID: 1, Method: "nothing", OnSend: func() { cancel(cause) }})
		wantError(t, err, KindCanceled, Unknown)
		if e := asError(t, err); !errors.Is(e, cause) {
			t.Errorf("got %v, want the cause", e)
		}
		callStdio(t, c, 2, "echo", `{}`)
	})
}
