package mcp

import "github.com/mcpbridge/mcpbridge/internal/rawjson"

// Declares reports whether the server declared a capability: the member of its
// capabilities object at that path, as "logging", or "resources", "subscribe".
// An object declares it, and so does anything else but false and null.
func (i *Info) Declares(path ...string) bool {
	v := []byte(i.Capabilities)
	for _, key := range path {
		if v = object(v); v == nil {
			return false
		}
		v = rawjson.Get(v, key)
	}
	return len(v) > 0 && v[0] != 'f' && v[0] != 'n'
}
