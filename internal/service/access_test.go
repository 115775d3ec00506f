package service

import (
	"strings"
	"testing"
)

// TestKeepTools: what is kept is kept to the byte.
func TestKeepTools(t *testing.T) {
	t.Parallel()
	noSecrets := func(name string) bool { return !strings.HasPrefix(name, "secret") }
	for name, test := range map[string]struct{ page, want string }{
		"none":      {`{"tools":[]}`, `{"tools":[]}`},
		"all":       {`{"tools":[{"name":"a","x":1.0},{"name":"b"}]}`, `{"tools":[{"name":"a","x":1.0},{"name":"b"}]}`},
		"first":     {`{"tools":[{"name":"secret"},{"name":"b"}]}`, `{"tools":[{"name":"b"}]}`},
		"last":      {`{"tools":[{"name":"a"},{"name":"secret"}]}`, `{"tools":[{"name":"a"}]}`},
		"only":      {`{"tools":[{"name":"secret"}],"nextCursor":"x"}`, `{"tools":[],"nextCursor":"x"}`},
		"escaped":   {`{"tools":[{"name":"\u0073ecret"},{"n\u0061me":"secret"}]}`, `{"tools":[]}`},
		"twice":     {`{"tools":[{"name":"a","name":"secret"}]}`, `{"tools":[]}`},
		"nameless":  {`{"tools":[{"title":"a"},{"name":7},null,"a"]}`, `{"tools":[]}`},
		"the rest":  {`{"_meta":{"tools":[{"name":"secret"}]},"tools":[{"name":"a"}],"ttlMs":9007199254740993}`, `{"_meta":{"tools":[{"name":"secret"}]},"tools":[{"name":"a"}],"ttlMs":9007199254740993}`},
		"two lists": {`{"tools":[{"name":"secret"}],"tools":[{"name":"secret"},{"name":"b"}]}`, `{"tools":[],"tools":[{"name":"b"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(keepTools([]byte(test.page), noSecrets)); got != test.want {
				t.Errorf("kept is %s, want %s", got, test.want)
			}
		})
	}
}
