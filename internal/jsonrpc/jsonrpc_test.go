package jsonrpc

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in                            string
		id, method, params, result    string
		code                          int64
		request, notification, answer bool
	}{
		"request":                  {in: `{"jsonrpc":"2.0","id":0,"method":"roots/list"}`, id: "0", method: "roots/list", request: true},
		"string id":                {in: `{"id":"a\"b","method":"x","params":{"a":1.0}}`, id: `"a\"b"`, method: "x", params: `{"a":1.0}`, request: true},
		"notification":             {in: `{"jsonrpc":"2.0","method":"n","params":[ ]}`, method: "n", params: "[ ]", notification: true},
		"request with null id":     {in: `{"id":null,"method":"n"}`, method: "n", notification: true},
		"result before id":         {in: `{"result":{"x":9007199254740993},"id":7,"jsonrpc":"2.0"}`, id: "7", result: `{"x":9007199254740993}`, answer: true},
		"null error is no error":   {in: `{"id":1,"result":{},"error":null}`, id: "1", result: "{}", answer: true},
		"error with null id":       {in: `{"id":null,"error":{"code":-32700,"message":"x"}}`, code: -32700, answer: true},
		"error with string code":   {in: `{"id":1,"error":{"code":"-32000","message":5}}`, id: "1", code: -32000, answer: true},
		"error that is no object":  {in: `{"id":1,"error":"boom"}`, id: "1", code: CodeInternalError, answer: true},
		"of duplicates, the last":  {in: `{"id":1,"id":2,"result":1,"result":2}`, id: "2", result: "2", answer: true},
		"escaped member name":      {in: `{"\u0069d":1,"result":true}`, id: "1", result: "true", answer: true},
		"null result is a result":  {in: `{"id":1,"result":null}`, id: "1", result: "null", answer: true},
		"unknown members are fine": {in: `{"id":1,"x":[{"id":2}],"result":[]}`, id: "1", result: "[]", answer: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Parse([]byte(tt.in), 64)
			if err != nil {
				t.Fatal(err)
			}
			if string(m.ID) != tt.id || m.Method != tt.method || string(m.Params) != tt.params || string(m.Result) != tt.result {
				t.Errorf("got %+v", m)
			}
			if tt.code != 0 && (m.Error == nil || m.Error.Code != tt.code) || tt.code == 0 && m.Error != nil {
				t.Errorf("error %v, want code %d", m.Error, tt.code)
			}
			if m.IsRequest() != tt.request || m.IsNotification() != tt.notification || m.IsResponse() != tt.answer {
				t.Errorf("request %v, notification %v, response %v", m.IsRequest(), m.IsNotification(), m.IsResponse())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`{}`, `[]`, `5`, `{"id":{},"method":"x"}`, `{"id":1,"method":5}`, `{"id":1}`} {
		if m, err := Parse([]byte(in), 64); err == nil {
			t.Errorf("Parse(%s) = %+v", in, m)
		}
	}
	var syn *rawjson.SyntaxError
	if _, err := Parse([]byte(`INFO: hello`), 64); !errors.As(err, &syn) {
		t.Errorf("noise: %v", err)
	}
}

func TestParseAll(t *testing.T) {
	t.Parallel()
	var ids []string
	bad := 0
	err := ParseAll([]byte(`[{"id":1,"result":{}},{"nope":1},{"method":"n"},{"id":"x","method":"m"}]`), 64,
		func(m Message) { ids = append(ids, string(m.ID)) }, func(error) { bad++ })
	if err != nil || bad != 1 || !slices.Equal(ids, []string{"1", "", `"x"`}) {
		t.Errorf("ids %q, %d bad, %v", ids, bad, err)
	}
}

// What a reader does to one message of a batch, the next does not notice.
func TestParseAllOwnMemory(t *testing.T) {
	t.Parallel()
	const text = `[{"id":1,"result":"one"},{"id":2,"result":"two"}]`
	batch, results := []byte(text), ""
	err := ParseAll(batch, 64, func(m Message) {
		results += string(m.Result)
		_ = append(m.Result, strings.Repeat("x", 10)...) // it may write behind the result
		clear(m.Result)
	}, func(err error) { t.Error(err) })
	if err != nil || results != `"one""two"` || string(batch) != text {
		t.Errorf("got %s of %s, %v", results, batch, err)
	}
}

func TestIDInt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{`7`: 7, `"7"`: 7, `7.0`: 7, `-1`: -1, `"x"`: -99, `7.5`: -99, `1e308`: -99, ``: -99} {
		n, ok := ID(in).Int()
		if !ok {
			n = -99
		}
		if n != want {
			t.Errorf("ID(%s).Int() = %d, want %d", in, n, want)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{
		AppendRequest(nil, 7, "tools/call", []byte(`{"name":"x"}`)),
		AppendRequest(nil, 8, "ping", nil),
		AppendNotification(nil, `odd"name`, []byte(`{}`)),
		AppendResult(nil, ID(`"a"`), []byte(`{}`)),
		AppendError(nil, ID(`0`), &Error{Code: -32601, Message: "no\nsuch", Data: []byte(`[1]`)}),
	} {
		if !json.Valid(b) {
			t.Errorf("not JSON: %s", b)
		}
		if _, err := Parse(b, 64); err != nil {
			t.Errorf("Parse(%s): %v", b, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"id":1,"result":{}}`, `[{"id":1,"error":{"code":1}}]`, `{"id":"x","method":"m","params":null}`, `{"error":7}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = ParseAll(b, 64, func(m Message) {
			m.ID.Int()
			if m.Error != nil {
				_ = m.Error.Error()
			}
			if !m.IsRequest() && !m.IsNotification() && !m.IsResponse() {
				t.Fatalf("%q is nothing", b)
			}
		}, func(error) {})
	})
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 300)
	for name, result := range map[string]string{
		"echo": `{"content":[{"type":"text","text":"hello world"}]}`, "13kB": `{"content":[{"type":"text","text":"` + text + `"}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			in := []byte(`{"jsonrpc":"2.0","id":12345,"result":` + result + `}`)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := Parse(in, 64)
				if err != nil || string(m.ID) != "12345" || len(m.Result) != len(result) {
					b.Fatalf("%v, %v", m, err)
				}
			}
		})
	}
}
