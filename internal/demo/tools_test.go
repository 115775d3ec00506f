package demo

import (
	"bytes"
	"encoding/json"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"testing/synctest"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestTools(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		tool       string
		arguments  string
		text       string // expected in the first content block
		structured string // expected structured content, none if empty
	}{
		{name: "echo", tool: "echo", arguments: `{"message":"héllo\nworld"}`, text: "héllo\nworld"},
		{name: "echo of nothing", tool: "echo", arguments: `{"message":""}`, text: ""},
		{
			name: "add", tool: "calculate", arguments: `{"operation":"add","a":2,"b":3.5}`,
			text: `{"result":5.5}`, structured: `{"result":5.5}`,
		},
		{
			name: "subtract", tool: "calculate", arguments: `{"operation":"subtract","a":2,"b":3}`,
			text: `{"result":-1}`, structured: `{"result":-1}`,
		},
		{
			name: "multiply", tool: "calculate", arguments: `{"operation":"multiply","a":4,"b":0.5}`,
			text: `{"result":2}`, structured: `{"result":2}`,
		},
		{
			name: "divide", tool: "calculate", arguments: `{"operation":"divide","a":1,"b":4}`,
			text: `{"result":0.25}`, structured: `{"result":0.25}`,
		},
		{
			name: "text statistics", tool: "text_stats", arguments: `{"text":"für  alle\nund"}`,
			text:       `{"bytes":`,
			structured: `{"bytes":14,"characters":13,"words":3,"lines":2}`,
		},
		{
			name: "final line break", tool: "text_stats", arguments: `{"text":"one\n"}`,
			structured: `{"bytes":4,"characters":4,"words":1,"lines":1}`,
		},
		{
			name: "empty text", tool: "text_stats", arguments: `{"text":""}`,
			structured: `{"bytes":0,"characters":0,"words":0,"lines":0}`,
		},
		{
			name: "hash with the default algorithm", tool: "hash", arguments: `{"text":"abc"}`,
			structured: `{"algorithm":"sha256","digest":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}`,
		},
		{
			name: "hash with sha384", tool: "hash", arguments: `{"text":"abc","algorithm":"sha384"}`,
			structured: `{"algorithm":"sha384","digest":"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163` +
				`1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"}`,
		},
	}
	session := connect(t, modern, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := call(t, session, test.tool, json.RawMessage(test.arguments))
			if result.IsError {
				t.Fatalf("tool error: %v", result.GetError())
			}
			if got := textOf(t, result.Content[0]); !strings.Contains(got, test.text) {
				t.Errorf("text is %q, want %q in it", got, test.text)
			}
			checkJSON(t, result.StructuredContent, test.structured)
		})
	}
}

// checkJSON compares a decoded value with the JSON text it should come from.
func checkJSON(t *testing.T, got any, want string) {
	t.Helper()
	if want == "" {
		if got != nil {
			t.Errorf("structured content is %v, want none", got)
		}
		return
	}
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatalf("decode %s: %v", want, err)
	}
	// Both sides go through the same encoder, which orders keys.
	gotText, gotErr := json.Marshal(got)
	wantText, wantErr := json.Marshal(wanted)
	if gotErr != nil || wantErr != nil || !bytes.Equal(gotText, wantText) {
		t.Errorf("structured content is %s, want %s", gotText, wantText)
	}
}

func TestToolsRefuseBadInput(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		tool      string
		arguments string
		says      string
	}{
		{name: "missing argument", tool: "echo", arguments: `{}`, says: "message"},
		{name: "unknown argument", tool: "echo", arguments: `{"message":"m","loud":true}`, says: "loud"},
		{name: "wrong type", tool: "echo", arguments: `{"message":1}`, says: "string"},
		{name: "unknown operation", tool: "calculate", arguments: `{"operation":"power","a":1,"b":1}`, says: "operation"},
		{name: "division by zero", tool: "calculate", arguments: `{"operation":"divide","a":1,"b":0}`, says: "division by zero"},
		{name: "overflow", tool: "calculate", arguments: `{"operation":"multiply","a":1e308,"b":10}`, says: "too large"},
		{name: "unknown algorithm", tool: "hash", arguments: `{"text":"t","algorithm":"md5"}`, says: "algorithm"},
		{name: "unknown time zone", tool: "now", arguments: `{"timezone":"Mars/Olympus"}`, says: `unknown time zone "Mars/Olympus"`},
		{name: "time zone outside the database", tool: "now", arguments: `{"timezone":"../../etc/passwd"}`, says: "unknown time zone"},
		{name: "no steps", tool: "count_down", arguments: `{"steps":0}`, says: "steps"},
		{name: "color name", tool: "swatch", arguments: `{"color":"red"}`, says: "color"},
		{name: "huge swatch", tool: "swatch", arguments: `{"color":"#ff0000","size":100000}`, says: "size"},
	}
	session := connect(t, modern, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := call(t, session, test.tool, json.RawMessage(test.arguments))
			if !result.IsError {
				t.Fatalf("no error, but %v", result.StructuredContent)
			}
			if got := textOf(t, result.Content[0]); !strings.Contains(got, test.says) {
				t.Errorf("error is %q, want %q in it", got, test.says)
			}
		})
	}
}

func TestNow(t *testing.T) {
	t.Parallel()
	// A bubble's clock starts at midnight UTC, 1 January 2000.
	synctest.Test(t, func(t *testing.T) {
		session := connect(t, modern, nil)
		got := structured[nowOutput](t, call(t, session, "now", map[string]any{}))
		if want := (nowOutput{Time: "2000-01-01T00:00:00Z", Timezone: "UTC", Unix: 946684800}); got != want {
			t.Errorf("now is %+v, want %+v", got, want)
		}
		got = structured[nowOutput](t, call(t, session, "now", map[string]any{"timezone": "Asia/Tokyo"}))
		if want := (nowOutput{Time: "2000-01-01T09:00:00+09:00", Timezone: "Asia/Tokyo", Unix: 946684800}); got != want {
			t.Errorf("now in Tokyo is %+v, want %+v", got, want)
		}
	})
}

func TestSwatch(t *testing.T) {
	t.Parallel()
	result := call(t, connect(t, modern, nil), "swatch", map[string]any{"color": "#12AbfF", "size": 7})
	picture, ok := result.Content[1].(*mcpsdk.ImageContent)
	if !ok || picture.MIMEType != "image/png" {
		t.Fatalf("second content block is %#v, want a PNG image", result.Content[1])
	}
	decoded, err := png.Decode(bytes.NewReader(picture.Data))
	if err != nil {
		t.Fatal(err)
	}
	if size := decoded.Bounds().Size(); size.X != 7 || size.Y != 7 {
		t.Errorf("image is %v, want 7 by 7", size)
	}
	want := color.RGBA{R: 0x12, G: 0xab, B: 0xff, A: 0xff}
	if got := color.RGBAModel.Convert(decoded.At(6, 6)); got != want {
		t.Errorf("color is %v, want %v", got, want)
	}
}
