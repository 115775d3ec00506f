package mcp

import (
	"encoding/json"
	"testing"
)

func TestWalk(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pages []string
		want  string
	}{
		"one page": {pages: []string{`{"tools":[{"name":"a"}],"x":1.0}`}, want: `{"tools":[{"name":"a"}],"x":1.0}`},
		"the shortest time and the narrowest scope": {
			pages: []string{`{"tools":[],"ttlMs":60000,"cacheScope":"public","nextCursor":"1"}`, `{"tools":[{"name":"b"}],"ttlMs":500,"cacheScope":"private"}`},
			want:  `{"tools":[{"name":"b"}],"ttlMs":500,"cacheScope":"private"}`,
		},
		"a page that may not be cached": {
			pages: []string{`{"tools":[],"ttlMs":60000,"cacheScope":"public"}`, `{"tools":[]}`}, want: `{"tools":[]}`,
		},
		"the same item twice": {
			pages: []string{`{"tools":[{"name":"a","n":1},{"name":"b"}]}`, `{"tools":[{"name":"a","n":2},{"odd":1},{"odd":1},7]}`},
			want:  `{"tools":[{"name":"a","n":1},{"name":"b"},{"odd":1},{"odd":1},7]}`,
		},
		"the rest of the first page": {
			pages: []string{`{"_meta":{"p":1},"tools":[]}`, `{"_meta":{"q":1},"tools":[]}`}, want: `{"tools":[],"_meta":{"p":1}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := walk{list: ListTools(), limits: ListLimits{}.WithDefaults(), cursors: map[string]bool{}, names: map[string]bool{}}
			for _, page := range tt.pages {
				if err := w.add([]byte(page)); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(w.result().JSON); got != tt.want || !json.Valid([]byte(got)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
