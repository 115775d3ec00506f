package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		`{}`, ` [ ] `, `null`, `true`, `false`, `0`, `-0`, `1.50e+10`, `9007199254740993`, `1e400`, `"a\u00e9\n\"\\/"`,
		`{"a":[1,{"b":"ü"}],"a":null}`, "\t{\"x\" :\r\n 1 }\n", `"\ud800"`, `[[[]]]`,
	} {
		if err := Check([]byte(good), 3); err != nil {
			t.Errorf("Check(%q): %v", good, err)
		}
	}
	for _, bad := range []string{
		``, ` `, `{`, `[1,]`, `{"a"}`, `{"a":}`, `{a:1}`, `01`, `1.`, `.5`, `1e`, `+1`, `nul`, `truex`, `"a`, `"\x"`, `"\u12g4"`, "\"a\nb\"", "\"\xff\"", `{} {}`,
		`[1 2]`, `{"a":1,}`, `-`, "\ufeff{}", `'a'`, `"\`,
	} {
		var syn *SyntaxError
		if err := Check([]byte(bad), 3); !errors.As(err, &syn) {
			t.Errorf("Check(%q) = %v, want a SyntaxError", bad, err)
		}
	}
	if err := Check([]byte(`[[[[]]]]`), 3); !errors.Is(err, ErrDepth) {
		t.Errorf("four levels at depth 3: %v", err)
	}
	if err := Check(bytes.Repeat([]byte("["), 16<<20), 64); !errors.Is(err, ErrDepth) {
		t.Errorf("16 MiB of brackets: %v", err)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	var got []string
	err := Object([]byte(` { "a" : 1 ,"b\n":{"x":[1,"}"]}, "\u0063":"q\"" , "d":[ ] } `), func(k, v []byte) error {
		got = append(got, string(k)+"="+string(v))
		return nil
	})
	want := []string{"a=1", "b\n=" + `{"x":[1,"}"]}`, `c="q\""`, "d=[ ]"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if v := Get([]byte(`{"a":1,"b":2,"a":3}`), "a"); string(v) != "3" {
		t.Errorf("of duplicates the last wins, got %s", v)
	}
	stop := errors.New("stop")
	if err := Array([]byte(`[1,2,3]`), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Array returned %v", err)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`""`: "", `"abc"`: "abc", `"a\tb\u00e9\ud83d\ude00"`: "a\tbé😀", `"\ud800x"`: "\ufffdx", `"\ud800\u0041"`: "\ufffdA",
		`"\/\b\f\r\n\\\""`: "/\b\f\r\n\\\"",
	} {
		if got, err := String([]byte(in)); err != nil || got != want {
			t.Errorf("String(%s) = %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := String([]byte(`12`)); err == nil {
		t.Error("a number passed as a string")
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\n\r\t", "é😀", "\u2028\u2029", "bad\xffbyte", "\xe2\x80", strings.Repeat("x", 1000)} {
		got := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("AppendString(%q) = %s: %v", s, got, err)
		}
		if err := Check(got, 1); err != nil {
			t.Errorf("AppendString(%q) = %s: %v", s, got, err)
		}
		if bytes.ContainsAny(got, "\n\r\u2028\u2029") {
			t.Errorf("AppendString(%q) = %q holds a line break", s, got)
		}
	}
}

func TestAppendLine(t *testing.T) {
	t.Parallel()
	in := "{ \"a\" :\n [1, 2.50 ,\"x y\\n\"],\r\n\"b\":null }"
	if got := string(AppendLine(nil, []byte(in))); got != `{"a":[1,2.50,"x y\n"],"b":null}` {
		t.Errorf("got %s", got)
	}
	if got := string(AppendLine(nil, []byte(`{ "a": 1 }`))); got != `{ "a": 1 }` {
		t.Errorf("text without a line break changed: %s", got)
	}
}

func TestCheckUnique(t *testing.T) {
	t.Parallel()
	many := `{"k0":0`
	for i := range 40 {
		many += `,"m` + strings.Repeat("x", i) + `":0`
	}
	for in, ok := range map[string]bool{
		`{"a":1,"b":{"a":2}}`: true, `[{"a":1},{"a":1}]`: true, `{"a":1,"a":1}`: false, `[{"x":{"a":1,"\u0061":2}}]`: false,
		many + `}`: true, many + `,"k0":1}`: false, `3`: true,
	} {
		if err := CheckUnique([]byte(in)); (err == nil) != ok {
			t.Errorf("CheckUnique(%.60s): %v", in, err)
		}
	}
}

// FuzzCheck holds Check, the walkers and the string codec against encoding/json.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\u00e9"]}`, `[`, `"\ud83d\ude00"`, "\"\xff\"", `{"a":1,"a":2}`, `1e5`, ` {} `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Object(b, func(_, v []byte) error { _, _ = String(v); return nil })
		_ = Array(b, CheckUnique)
		AppendCompact(nil, b)
		got := Check(b, 1000) == nil
		if want := json.Valid(b) && utf8.Valid(b); got != want {
			t.Fatalf("Check(%q) = %v, encoding/json says %v", b, got, want)
		}
		checkMembers(t, b, got)
		if !got {
			return
		}
		if end := skip(b, space(b, 0)); len(Trim(b[end:])) != 0 {
			t.Fatalf("%q was left at %d", b, end)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, b); err != nil || !bytes.Equal(AppendCompact(nil, b), compact.Bytes()) {
			t.Fatalf("AppendCompact(%q) = %q", b, AppendCompact(nil, b))
		}
		if v := Trim(b); v[0] == '"' {
			var want string
			if err := json.Unmarshal(v, &want); err != nil {
				t.Fatal(err)
			}
			if s, err := String(v); err != nil || s != want {
				t.Fatalf("String(%q) = %q, %v; want %q", v, s, err, want)
			}
		}
	})
}

// checkMembers holds CheckMembers against Check and Object.
func checkMembers(t *testing.T, b []byte, valid bool) {
	t.Helper()
	var got, want []string
	err := CheckMembers(b, 1000, func(key, v []byte) { got = append(got, string(key), string(v)) })
	if (err == nil) != valid {
		t.Fatalf("CheckMembers(%q): %v, which Check says is %t", b, err, valid)
	}
	if !valid {
		return
	}
	_ = Object(b, func(key, v []byte) error { want = append(want, string(key), string(v)); return nil })
	if !slices.Equal(got, want) {
		t.Fatalf("CheckMembers(%q) yields %q, Object %q", b, got, want)
	}
}

// TestStrings: whatever stands wherever in a string, it is judged and skipped
// alike by the scan of words and by the search for bytes.
func TestStrings(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`\"`, `\\`, `\n`, `\u00e9`, "é", "\x1f", "\x7f", "\x80", `\x`, "\x00", "!", "#", "[", "]", "\xa2", "\xdc", "😀"} {
		for _, before := range []int{0, 1, 7, 8, 9, 63, 64, 65, 130} {
			for _, after := range []int{0, 1, 8, 70} {
				text := []byte(`"` + strings.Repeat("a", before) + in + strings.Repeat("z", after) + `"`)
				if got, want := Check(text, 0) == nil, json.Valid(text) && utf8.Valid(text); got != want {
					t.Errorf("Check(%q) = %t, want %t", text, got, want)
				}
				if end := skip(append(text, `,"b"`...), 0); end != len(text) {
					t.Errorf("skipped to %d of %q", end, text)
				}
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	text := AppendString(nil, strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1<<14))
	var list []byte
	for range 100 {
		list = append(list, `,{"name":"tool","description":"what it does","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"integer","minimum":1}}}}`...)
	}
	list = append(append([]byte{'['}, list[1:]...), ']')
	for name, v := range map[string][]byte{"text": text, "list": list, "escapes": AppendString(nil, strings.Repeat("line\n", 1<<18))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(v)))
			for b.Loop() {
				if err := Check(v, 64); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
