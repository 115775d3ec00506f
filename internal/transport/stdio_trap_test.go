//go:build unix

package transport

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// A stdioTrap is what a child writes, with # for the id of the call, and what is
// to come of it.
type stdioTrap struct {
	text   string
	result string
	code   int64 // of a JSON-RPC error
	kind   Kind  // of an error, if neither of these is set
	noise  int   // lines
	stray  int64 // responses
}

func stdioTraps() map[string]stdioTrap {
	const ok = `{"jsonrpc":"2.0","id":#,"result":{"ok":1}}` + "\n"
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	long := strings.Repeat("x", 5000)
	return map[string]stdioTrap{
		"plain":                      {text: ok, result: `{"ok":1}`},
		"noise before":               {text: "INFO: hello\nDEBUG\n" + ok, result: `{"ok":1}`, noise: 2},
		"JSON that is no message":    {text: "42\n\"id\"\nnull\n{}\n" + ok, result: `{"ok":1}`, noise: 4},
		"JSON log with our id":       {text: `{"level":"info","id":#,"msg":"x"}` + "\n" + ok, result: `{"ok":1}`, noise: 1},
		"log line quoting":           {text: "[info] sent " + ok + ok, result: `{"ok":1}`, noise: 1},
		"blank lines":                {text: "\n\r\n  \n" + ok + "\n", result: `{"ok":1}`},
		"CRLF":                       {text: strings.ReplaceAll(ok, "\n", "\r\n"), result: `{"ok":1}`},
		"byte order mark":            {text: "\ufeff" + ok, result: `{"ok":1}`},
		"text as id":                 {text: `{"jsonrpc":"2.0","id":"#","result":1}` + "\n", result: `1`},
		"fraction as id":             {text: `{"jsonrpc":"2.0","id":#.0,"result":1}` + "\n", result: `1`},
		"id last, no version":        {text: `{"result":1,"id":#}` + "\n", result: `1`},
		"error null":                 {text: `{"jsonrpc":"2.0","id":#,"error":null,"result":1}` + "\n", result: `1`},
		"numbers are kept":           {text: `{"jsonrpc":"2.0","id":#,"result":[9007199254740993, 1.0]}` + "\n", result: `[9007199254740993, 1.0]`},
		"batch":                      {text: `[{"jsonrpc":"2.0","id":998,"result":1},7,{"jsonrpc":"2.0","id":#,"result":2}]` + "\n", result: `2`, noise: 1, stray: 1},
		"wrong ids first":            {text: `{"id":999,"result":1}` + "\n" + `{"id":1e308,"result":1}` + "\n" + `{"id":0,"result":1}` + "\n" + ok, result: `{"ok":1}`, stray: 3},
		"next id first":              {text: `{"id":2,"result":"early"}` + "\n" + ok, result: `{"ok":1}`, stray: 1},
		"result without id":          {text: `{"id":null,"result":1}` + "\n" + ok, result: `{"ok":1}`, stray: 1},
		"answered twice":             {text: ok + ok, result: `{"ok":1}`, stray: 1},
		"error":                      {text: `{"jsonrpc":"2.0","id":#,"error":{"code":-32601,"message":"m"}}` + "\n", code: -32601},
		"error with id null":         {text: `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}` + "\n", code: -32700},
		"error without id":           {text: `{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}` + "\n", code: -32700},
		"neither result nor error":   {text: `{"jsonrpc":"2.0","id":#}` + "\n", kind: KindProtocol},
		"not UTF-8":                  {text: `{"jsonrpc":"2.0","id":#,"result":"` + "\xff" + `"}` + "\n", kind: KindProtocol},
		"NUL":                        {text: `{"jsonrpc":"2.0","id":#,"result":"` + "\x00" + `"}` + "\n", kind: KindProtocol},
		"broken JSON":                {text: `{"jsonrpc":"2.0","id":#,"result":{"a":}}` + "\n", kind: KindProtocol},
		"too deep":                   {text: `{"jsonrpc":"2.0","id":#,"result":` + deep + "}\n", kind: KindLimit},
		"too long":                   {text: `{"jsonrpc":"2.0","id":#,"result":"` + long + `"}` + "\n", kind: KindLimit},
		"too long, id last":          {text: `{"result":"` + long + `","id":#,"jsonrpc":"2.0"}` + "\n", kind: KindLimit},
		"too long, not ours":         {text: `{"method":"m","params":"` + long + `","id":#}` + "\n" + ok, result: `{"ok":1}`, noise: 1},
		"request not UTF-8":          {text: `{"jsonrpc":"2.0","id":#,"method":"` + "\xff" + `"}` + "\n" + ok, result: `{"ok":1}`, noise: 1},
		"as long as allowed":         {text: `{"id":#,"result":"` + long[:4096-len(`{"id":1,"result":""}`)] + `"}` + "\n", result: `"` + long[:4096-len(`{"id":1,"result":""}`)] + `"`},
		"one byte more than allowed": {text: `{"id":#,"result":"` + long[:4097-len(`{"id":1,"result":""}`)] + `"}` + "\n", kind: KindLimit},
	}
}

// TestStdioTraps has the child answer a call with bytes that a server should
// not send, or might. Whatever they do to the call, the next one must succeed.
func TestStdioTraps(t *testing.T) {
	t.Parallel()
	for name, tt := range stdioTraps() {
		for _, pieces := range []bool{false, true} {
			if pieces {
				name += ", byte by byte"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cfg := childConfig(t, "serve")
				cfg.Limits = Limits{MessageBytes: 4096}
				c := dialStdio(t, cfg, func(m jsonrpc.Message, _ int64) { t.Errorf("received %+v", m) })
				params, _ := json.Marshal(rawAnswer{Text: []byte(tt.text), Pieces: pieces})
				resp, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "raw", Params: params})
				switch {
				case tt.code != 0:
					if err != nil || resp.Error == nil || resp.Error.Code != tt.code || resp.Result != nil {
						t.Errorf("got %+v, %v; want the error %d", resp, err, tt.code)
					}
				case tt.result == "":
					wantError(t, err, tt.kind, Unknown)
				case err != nil || resp.Error != nil || string(resp.Result) != tt.result:
					t.Errorf("got %+v, %v; want %s", resp, err, tt.result)
				}
				if got := callStdio(t, c, 2, "echo", `"next"`); got != `"next"` {
					t.Errorf("the next call got %s", got)
				}
				closeNow(t, c)
				if c.noise.total != tt.noise || c.calls.stray.Load() != tt.stray {
					t.Errorf("%d lines of noise and %d stray responses; want %d and %d",
						c.noise.total, c.calls.stray.Load(), tt.noise, tt.stray)
				}
			})
		}
	}
}

func TestStdioErrorWithoutIDIsAmbiguous(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	sent := make(chan struct{})
	waiting := make(chan error, 1)
	go func() {
		_, err := c.RoundTrip(t.Context(), &Request{ID: 1, Method: "nothing", OnSend: func() { close(sent) }})
		waiting <- err
	}()
	<-sent
	params, _ := json.Marshal(rawAnswer{Text: []byte(
		`{"id":null,"error":{"code":-32700,"message":"m"}}` + "\n" + `{"id":#,"result":1}` + "\n")})
	if got := callStdio(t, c, 2, "raw", string(params)); got != "1" {
		t.Errorf("got %s, want 1", got)
	}
	closeNow(t, c)
	wantError(t, <-waiting, KindClosed, Unknown)
}

func TestStdioLongAnswer(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	text := `"` + strings.Repeat("0123456789", 1<<20) + `"`
	if got := callStdio(t, c, 1, "echo", text); got != text {
		t.Errorf("got %d bytes, want %d", len(got), len(text))
	}
}

func TestStdioEndlessLine(t *testing.T) {
	t.Parallel()
	cfg := childConfig(t, "serve")
	cfg.Limits = Limits{MessageBytes: 1 << 20, CallBytes: 4 << 20}
	c := dialStdio(t, cfg, ignore)
	_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "endless"})
	wantError(t, err, KindLimit, Unknown)
	<-c.Done()
	wantError(t, c.Err(), KindLimit, NotSent)
}

func TestStdioNoiseEndsTheTransport(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "babble"), ignore)
	_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "echo"})
	e := asError(t, err)
	if e.Kind != KindProtocol || !errors.Is(e, ErrStdoutNotMCP) || e.Detail != "STDOUT is not MCP" {
		t.Errorf("got %#v", e)
	}
	<-c.Done()
	if !errors.Is(c.Err(), ErrStdoutNotMCP) {
		t.Errorf("Err is %v", c.Err())
	}
	_, err = c.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
	wantError(t, err, KindProtocol, NotSent)
}

func TestStdioNoiseWithinTheQuota(t *testing.T) {
	t.Parallel()
	cfg := childConfig(t, "serve")
	cfg.NoisePerMinute = 3
	c := dialStdio(t, cfg, ignore)
	params, _ := json.Marshal(rawAnswer{Text: []byte("a\nb\nc\n" + `{"id":#,"result":1}` + "\n")})
	callStdio(t, c, 1, "raw", string(params))
	callStdio(t, c, 2, "echo", `{}`)
	params, _ = json.Marshal(rawAnswer{Text: []byte("d\n")})
	_, err := c.RoundTrip(short(t), &Request{ID: 3, Method: "raw", Params: params})
	wantError(t, err, KindProtocol, Unknown)
	if e := asError(t, err); !errors.Is(e, ErrStdoutNotMCP) {
		t.Errorf("got %v", e)
	}
}
