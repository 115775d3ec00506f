package mcp

import "testing"

func TestDeclares(t *testing.T) {
	t.Parallel()
	info := Info{Capabilities: []byte(`{"tools":{"listChanged":true},"resources":{"subscribe":false,"listChanged":null},"logging":{},"prompts":true}`)}
	for name, tt := range map[string]struct {
		info Info
		path []string
		want bool
	}{
		"an empty object": {info, []string{"logging"}, true},
		"a member":        {info, []string{"tools", "listChanged"}, true},
		"false":           {info, []string{"resources", "subscribe"}, false},
		"null":            {info, []string{"resources", "listChanged"}, false},
		"missing":         {info, []string{"completions"}, false},
		"missing member":  {info, []string{"tools", "subscribe"}, false},
		"in no object":    {info, []string{"prompts", "listChanged"}, false},
		"no capabilities": {Info{}, []string{"tools"}, false},
	} {
		if got := tt.info.Declares(tt.path...); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
