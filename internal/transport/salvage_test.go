package transport

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

func TestSniffer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want int64 // 0: no response
	}{
		"response":              {`{"jsonrpc":"2.0","id":7,"result":{}}`, 7},
		"error":                 {`{"id":7,"error":{"code":1}}`, 7},
		"id last":               {`{"result":{"id":8,"a":[{"id":9}]},"id": 7 }`, 7},
		"id as text":            {`{"id":"7","result":1}`, 7},
		"id as fraction":        {`{"id":7.0,"result":1}`, 7},
		"cut off after the id":  {`{"jsonrpc":"2.0","id":7,"result":{"a":"xx`, 7},
		"cut off in the id":     {`{"jsonrpc":"2.0","id":7`, 0},
		"not UTF-8":             {`{"id":7,"result":"` + "\xff" + `"}`, 7},
		"too deep":              {`{"id":7,"result":` + strings.Repeat("[", 1000), 7},
		"brackets in a string":  {`{"result":"}{\"[","id":7}`, 7},
		"escapes in a string":   {`{"result":"\\","id":7}`, 7},
		"name within a value":   {`{"result":"\"id\":8,","id":7}`, 7},
		"last id wins":          {`{"id":6,"result":1,"id":7}`, 7},
		"white space":           {" \t{ \"id\" : 7 , \"result\" : 1 }", 7},
		"request":               {`{"jsonrpc":"2.0","id":7,"method":"m"}`, 0},
		"request, method last":  {`{"jsonrpc":"2.0","id":7,"params":{},"method":"m"}`, 0},
		"other object":          {`{"level":"info","id":7}`, 0},
		"id null":               {`{"id":null,"error":{}}`, 0},
		"id of many digits":     {`{"id":` + strings.Repeat("7", 100) + `,"result":1}`, 0},
		"id as object":          {`{"id":{"id":7},"result":1}`, 0},
		"batch":                 {`[{"id":7,"result":1}]`, 0},
		"quoted in a log line":  {`INFO {"id":7,"result":1}`, 0},
		"bracket in a log line": {`[INFO] {"id":7,"result":1}`, 0},
		"two on a line":         {`{"id":7,"result":1}{"id":8,"result":1}`, 7},
		"nothing":               {``, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var whole, pieces sniffer
			whole.feed([]byte(tt.text))
			for i := range tt.text {
				pieces.feed([]byte(tt.text[i : i+1]))
			}
			for how, s := range map[string]*sniffer{"whole": &whole, "in pieces": &pieces} {
				if id, ok := s.response(); id != tt.want || ok != (tt.want != 0) {
					t.Errorf("%s: got %d, %v; want %d", how, id, ok, tt.want)
				}
			}
		})
	}
}

// FuzzSniffer holds the sniffer against the parser where the text is a message.
func FuzzSniffer(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"result":{"a":[1,"x"]}}`))
	f.Add([]byte(`{"id":"7","error":{"code":1,"message":"m"}}`))
	f.Add([]byte(`{"id":7,"method":"m","params":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s sniffer
		s.feed(text)
		id, ok := s.response()
		// The sniffer does not decode names, keeps no long ids, and takes
		// anything with params for a request.
		m, err := jsonrpc.Parse(text, 1000)
		if err != nil || bytes.IndexByte(text, '\\') >= 0 || len(m.ID) > tokenBytes || m.Params != nil {
			return
		}
		want, isInt := m.ID.Int()
		if want, isInt := want, isInt && m.IsResponse(); ok != isInt || ok && id != want {
			t.Errorf("%q: got %d, %v; want %d, %v", text, id, ok, want, isInt)
		}
	})
}
