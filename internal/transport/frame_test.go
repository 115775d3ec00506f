package transport

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// readLines reads r to its end and returns the lines, with a line that was too
// long as "!", and the last error.
func readLines(r io.Reader, limits Limits) (lines []string, err error) {
	reader := newLineReader(r, limits)
	for {
		line, err := reader.next()
		var long *longLineError
		switch {
		case errors.As(err, &long):
			lines = append(lines, "!")
		case err != nil:
			return lines, err
		default:
			lines = append(lines, string(line))
		}
	}
}

func TestLineReader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*lineBuffer)
	tests := map[string]struct {
		text  string
		max   int64
		lines []string
		err   error
	}{
		"nothing":           {"", 10, nil, io.EOF},
		"lines":             {"a\nb c\r\n", 10, []string{"a", "b c"}, io.EOF},
		"blank lines":       {"\n\r\n \t \na\n\n", 10, []string{"a"}, io.EOF},
		"byte order mark":   {"\ufeffa\n\ufeffb\n", 10, []string{"a", "\ufeffb"}, io.EOF},
		"no line break":     {"a\nb", 10, []string{"a"}, io.EOF},
		"at the limit":      {"0123456789\na\n", 10, []string{"0123456789", "a"}, io.EOF},
		"over the limit":    {"0123456789x\na\n", 10, []string{"!", "a"}, io.EOF},
		"over and over":     {"0123456789x", 10, nil, io.EOF},
		"without end":       {strings.Repeat("x", 50) + "\na\n", 10, nil, errEndlessLine},
		"beyond the buffer": {long + "\r\n" + long + "y\n", 10 * lineBuffer, []string{long, long + "y"}, io.EOF},
		"long, over":        {long + "\na\n", 3*lineBuffer - 1, []string{"!", "a"}, io.EOF},
		"long, at":          {long + "\na\n", 3 * lineBuffer, []string{long, "a"}, io.EOF},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := Limits{MessageBytes: tt.max, CallBytes: 4 * tt.max}
			for how, r := range map[string]io.Reader{
				"whole":        strings.NewReader(tt.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.text)),
				"with the end": iotest.DataErrReader(strings.NewReader(tt.text)),
			} {
				lines, err := readLines(r, limits)
				if !slices.Equal(lines, tt.lines) || !errors.Is(err, tt.err) {
					t.Errorf("%s: got %.100q, %v; want %.100q, %v", how, lines, err, tt.lines, tt.err)
				}
			}
		})
	}
}

func TestLineReaderGivesMemoryAway(t *testing.T) {
	t.Parallel()
	r := newLineReader(strings.NewReader("first\nsecond\n"), Limits{}.WithDefaults())
	first, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.next(); err != nil || string(first) != "first" {
		t.Errorf("the first line became %q, %v", first, err)
	}
}

func TestAppendBreak(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		msg, want string // want is empty if it must be refused
	}{
		"as it is":                {`{"a": "b c"}`, `{"a": "b c"}` + "\n"},
		"line breaks":             {"{\n \"a\":\r\n 1}", `{"a":1}` + "\n"},
		"line separators":         {"{\"a\":\"\u2028 \u2029\"}", `{"a":"\u2028 \u2029"}` + "\n"},
		"break within a string":   {"{\"a\":\"\n\"}", ""},
		"return within a string":  {"{\"a\":\"\r\"}", ""},
		"escapes are not touched": {`{"a":"\n\u2028"}`, `{"a":"\n\u2028"}` + "\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := appendBreak([]byte(tt.msg))
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// FuzzLineReader holds the reader against a few lines that say the same about
// text that is all there, and against itself with the text in pieces.
func FuzzLineReader(f *testing.F) {
	for _, text := range []string{
		"", "a\n", "a\r\n\n\nb\n", "\ufeffa\nb", "0123456789\n01234567890\nx\n", strings.Repeat("y", 100) + "\n",
	} {
		f.Add([]byte(text))
	}
	limits := Limits{MessageBytes: 10, CallBytes: 50}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, wantErr := splitLines(text, limits)
		for _, r := range []io.Reader{
			bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.HalfReader(bytes.NewReader(text)),
		} {
			lines, err := readLines(r, limits)
			if !slices.Equal(lines, want) || !errors.Is(err, wantErr) {
				t.Errorf("%q: got %q, %v; want %q, %v", text, lines, err, want, wantErr)
			}
		}
	})
}

func splitLines(text []byte, limits Limits) (lines []string, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for {
		line, rest, found := bytes.Cut(text, []byte("\n"))
		size, trimmed := int64(len(line)), rawjson.Trim(line)
		switch {
		case !found && size < lineBuffer: // a longer one counts as soon as it fills the buffer
			return lines, io.EOF
		case size > limits.CallBytes:
			return lines, errEndlessLine
		case size > limits.MessageBytes:
			lines = append(lines, "!")
		case len(trimmed) > 0:
			lines = append(lines, string(trimmed))
		}
		text = rest
	}
}
