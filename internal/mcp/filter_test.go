package mcp

import (
	"testing"
)

func TestFilterParams(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		filter Filter
		want   string
	}{
		"nothing": {Filter{}, `{"notifications":{}}`},
		"lists":   {Filter{Tools: true, Prompts: true, Resources: true}, `{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}}`},
		"single":  {Filter{URIs: []string{"a:1", `b:"`}, Tasks: []string{"t"}}, `{"notifications":{"resourceSubscriptions":["a:1","b:\""],"taskIds":["t"]}}`},
	} {
		if got := string(tt.filter.params()); got != tt.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestFilterGranted(t *testing.T) {
	t.Parallel()
	want := Filter{Tools: true, Resources: true, URIs: []string{"a", "b"}, Tasks: []string{"t"}}
	for name, tt := range map[string]struct {
		params string
		want   Filter
	}{
		"all":            {`{"notifications":{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["b","a"],"taskIds":["t"]}}`, want},
		"part":           {`{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["b"]}}`, Filter{Tools: true, URIs: []string{"b"}}},
		"more than that": {`{"notifications":{"promptsListChanged":true,"resourceSubscriptions":["c"],"taskIds":["u"]}}`, Filter{}},
		"nothing":        {`{"notifications":{}}`, Filter{}},
		"no filter":      {`{}`, Filter{}},
		"no params":      {``, Filter{}},
		"no object":      {`{"notifications":[true]}`, Filter{}},
		"a wrong type":   {`{"notifications":{"toolsListChanged":"yes","resourcesListChanged":true}}`, Filter{Resources: true}},
	} {
		if got := want.granted([]byte(tt.params)); !got.Equal(tt.want) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
