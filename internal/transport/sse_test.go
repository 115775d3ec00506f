package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// readEvents reads all events as "type|data" and what ended them.
func readEvents(r io.Reader, limit int64) (events []string, s *sseReader, err error) {
	s = newSSEReader(r, limit)
	var held []sseEvent
	for {
		ev, err := s.Next()
		if err != nil {
			// Only now, so that memory which is used twice shows.
			for _, ev := range held {
				events = append(events, ev.Type+"|"+string(ev.Data))
			}
			return events, s, err
		}
		held = append(held, ev)
	}
}

type sseCase struct {
	in     string
	want   []string
	lastID string
	retry  time.Duration
	told   bool // if retry is 0
}

func sseCases() map[string]sseCase {
	long := strings.Repeat("x", 100_000)
	return map[string]sseCase{
		"one event":                {in: "data: a\n\n", want: []string{"message|a"}},
		"CR":                       {in: "data: a\r\rdata: b\r\r", want: []string{"message|a", "message|b"}},
		"CRLF":                     {in: "data: a\r\n\r\ndata: b\r\n\r\n", want: []string{"message|a", "message|b"}},
		"mixed line ends":          {in: "data: a\r\ndata: b\rdata: c\n\r\n", want: []string{"message|a\nb\nc"}},
		"comments":                 {in: ": ok\n\n:\n:keep-alive\ndata: a\n: in between\ndata: b\n\n", want: []string{"message|a\nb"}},
		"many lines":               {in: "data: {\ndata:  \"a\":1\ndata: }\n\n", want: []string{"message|{\n \"a\":1\n}"}},
		"no space":                 {in: "data:a\n\n", want: []string{"message|a"}},
		"only one space goes":      {in: "data:  a \n\n", want: []string{"message| a "}},
		"empty first line of data": {in: "data\ndata: a\ndata:\n\n", want: []string{"message|\na\n"}},
		"byte order mark":          {in: "\ufeffdata: a\n\n", want: []string{"message|a"}},
		"mark later is no mark":    {in: "data: a\n\n\ufeffdata: b\n\ndata: c\n\n", want: []string{"message|a", "message|c"}},
		"types":                    {in: "event: endpoint\ndata: /m\n\nevent: message\ndata: a\n\ndata: b\n\n", want: []string{"endpoint|/m", "message|a", "message|b"}},
		"priming event":            {in: "id: 7\nretry: 300\ndata: \n\ndata: a\n\n", want: []string{"message|a"}, lastID: "7", retry: 300 * time.Millisecond},
		"id without data":          {in: "id: 8\n\n", lastID: "8"},
		"id is kept":               {in: "id: 1\ndata: a\n\ndata: b\n\n", want: []string{"message|a", "message|b"}, lastID: "1"},
		"id is reset":              {in: "id: 1\n\nid\n\n"},
		"id with NUL":              {in: "id: 1\n\nid: 2\x00\n\n", lastID: "1"},
		"id of unfinished event":   {in: "id: 1\n\nid: 2\ndata: a\n", lastID: "1"},
		"id after data":            {in: "data: a\nid: 3\ndata: b\n\n", want: []string{"message|a\nb"}, lastID: "3"},
		"retry that is none":       {in: "retry: 5\nretry: -1\nretry: 1e3\nretry: 9999999999999999999\nretry:\n\n", retry: 5 * time.Millisecond},
		"retry at once":            {in: "retry: 0\n\n", told: true},
		"type is forgotten":        {in: "event: x\n\ndata: a\n\n", want: []string{"message|a"}},
		"unknown fields":           {in: "datas: x\nDATA: y\ndata : z\nfoo\ndata: a\n\n", want: []string{"message|a"}},
		"unfinished line":          {in: "data: a\n\ndata: b", want: []string{"message|a"}},
		"unfinished event":         {in: "data: a\n\ndata: b\n", want: []string{"message|a"}},
		"nothing":                  {in: ""},
		"long among short":         {in: "data: a\n\ndata: " + long + "\ndata: y\n\ndata: b\n\n", want: []string{"message|a", "message|" + long + "\ny", "message|b"}},
		"many long":                {in: strings.Repeat("data: "+long+"\r\n\r\n", 3), want: slices.Repeat([]string{"message|" + long}, 3)},
	}
}

// TestSSEReader reads each stream whole, byte by byte, and cut at every place.
func TestSSEReader(t *testing.T) {
	t.Parallel()
	for name, tt := range sseCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := func(how string, r io.Reader) {
				got, s, err := readEvents(r, 1<<20)
				retry, told := s.Retry()
				if !errors.Is(err, io.EOF) || !slices.Equal(got, tt.want) || s.LastID() != tt.lastID || retry != tt.retry || told != (tt.retry != 0 || tt.told) {
					t.Errorf("%s: got %.200q, id %q, retry %v, %v, %v", how, got, s.LastID(), retry, told, err)
				}
			}
			check("whole", strings.NewReader(tt.in))
			check("whole, with the end", iotest.DataErrReader(strings.NewReader(tt.in)))
			check("byte by byte", iotest.OneByteReader(strings.NewReader(tt.in)))
			for i := range min(len(tt.in), 200) {
				check(fmt.Sprintf("cut at %d", i), io.MultiReader(strings.NewReader(tt.in[:i]), strings.NewReader(tt.in[i:])))
			}
		})
	}
}

func TestSSEReaderLimit(t *testing.T) {
	t.Parallel()
	const limit = 5000
	line := "data: " + strings.Repeat("x", 1000) + "\n"
	tests := map[string]struct {
		in string
		ok bool
	}{
		"under it":           {in: strings.Repeat(line, 4) + "\n", ok: true},
		"many under it":      {in: strings.Repeat(strings.Repeat(line, 4)+"\n", 10), ok: true},
		"many lines":         {in: strings.Repeat(line, 6) + "\n"},
		"one line":           {in: "data: " + strings.Repeat("x", limit+1) + "\n\n"},
		"endless comment":    {in: ":" + strings.Repeat("x", 2*limit)},
		"comments in event":  {in: "data: a\n" + strings.Repeat(": "+strings.Repeat("x", 1000)+"\n", 10)},
		"comments before it": {in: strings.Repeat(": "+strings.Repeat("x", 1000)+"\n", 100) + "data: a\n\n", ok: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in))} {
				_, s, err := readEvents(r, limit)
				if _, over := errors.AsType[*limitError](err); over == tt.ok {
					t.Errorf("%s: %v", how, err)
				}
				if cap(s.buf) > 2*limit {
					t.Errorf("%s: the buffer grew to %d", how, cap(s.buf))
				}
			}
		})
	}
}

// TestSSEReaderReset: of an event that one stream has not finished, nothing is
// part of the next.
func TestSSEReaderReset(t *testing.T) {
	t.Parallel()
	const first = "retry: 7\nid: 1\ndata: a\n\n"
	for name, rest := range map[string]string{
		"nothing": "", "data": "data: half\n", "type": "event: x\n", "id": "id: 2\n", "line": "data: h", "CR": ": ok\r",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s, err := readEvents(strings.NewReader(first+rest), 1<<20)
			if !errors.Is(err, io.EOF) || s.LastID() != "1" {
				t.Fatalf("id %q, %v", s.LastID(), err)
			}
			s.Reset(strings.NewReader("\ufeffdata: b\n\n"))
			ev, err := s.Next()
			if err != nil || ev.Type != "message" || string(ev.Data) != "b" {
				t.Errorf("got %s|%s, %v", ev.Type, ev.Data, err)
			}
			if retry, told := s.Retry(); s.LastID() != "1" || retry != 7*time.Millisecond || !told {
				t.Errorf("id %q, retry %v, %v", s.LastID(), retry, told)
			}
			if s.Forget(); s.LastID() != "" {
				t.Errorf("id %q after all", s.LastID())
			}
		})
	}
}

func TestSSEReaderPassesErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, _, err := readEvents(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)), 1<<20)
	if !errors.Is(err, broken) || !slices.Equal(got, []string{"message|a"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// plainEvents is the standard's algorithm in its most obvious form.
func plainEvents(in []byte) (events []string, lastID string) {
	in = bytes.TrimPrefix(in, []byte("\ufeff"))
	text := strings.ReplaceAll(strings.ReplaceAll(string(in), "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var data []string
	kind, id := "", ""
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			lastID = id
			if joined := strings.Join(data, "\n"); joined != "" {
				if kind == "" {
					kind = "message"
				}
				events = append(events, kind+"|"+joined)
			}
			data, kind = nil, ""
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			data = append(data, value)
		case "event":
			kind = value
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		}
	}
	return events, lastID
}

func FuzzSSEReader(f *testing.F) {
	for _, tt := range sseCases() {
		if len(tt.in) < 1000 {
			f.Add([]byte(tt.in), uint16(len(tt.in)/2))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		want, wantID := plainEvents(in)
		at := min(int(cut), len(in))
		for how, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(in),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(in)),
			"cut":          io.MultiReader(bytes.NewReader(in[:at]), bytes.NewReader(in[at:])),
		} {
			got, s, err := readEvents(r, 1<<20)
			if !errors.Is(err, io.EOF) || !slices.Equal(got, want) || s.LastID() != wantID {
				t.Fatalf("%s: %q gave %q, id %q, %v; want %q, id %q", how, in, got, s.LastID(), err, want, wantID)
			}
		}
	})
}

func BenchmarkSSEReader(b *testing.B) {
	for _, size := range []int{200, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			stream := bytes.Repeat([]byte("event: message\ndata: "+strings.Repeat("x", size)+"\n\n"), 10)
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				s := newSSEReader(bytes.NewReader(stream), DefaultMessageBytes)
				for {
					if _, err := s.Next(); err != nil {
						break
					}
				}
			}
		})
	}
}
