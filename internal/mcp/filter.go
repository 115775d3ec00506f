package mcp

import (
	"encoding/json"
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A Filter says what a [Listener] listens for. The zero value asks for nothing.
type Filter struct {
	// Tools, Prompts and Resources are changes of these lists.
	Tools, Prompts, Resources bool
	// URIs are the resources whose updates are wanted, sorted, each once.
	URIs []string
	// Tasks are the ids of the tasks whose status is wanted, sorted, each once.
	// Only modern servers are told; legacy ones report on all tasks or on none.
	Tasks []string
}

// Empty reports whether f asks for nothing.
func (f Filter) Empty() bool {
	return !f.Tools && !f.Prompts && !f.Resources && len(f.URIs) == 0 && len(f.Tasks) == 0
}

// Equal reports whether f and other ask for the same.
func (f Filter) Equal(other Filter) bool {
	return f.Tools == other.Tools && f.Prompts == other.Prompts && f.Resources == other.Resources &&
		slices.Equal(f.URIs, other.URIs) && slices.Equal(f.Tasks, other.Tasks)
}

// clone returns a copy that shares nothing with f.
func (f Filter) clone() Filter {
	f.URIs, f.Tasks = slices.Clone(f.URIs), slices.Clone(f.Tasks)
	return f
}

// wireFilter is a Filter as subscriptions/listen and its acknowledgement have
// it (spec 2026-07-28, basic/patterns/subscriptions; taskIds is the tasks
// extension's).
type wireFilter struct {
	Tools     bool     `json:"toolsListChanged,omitempty"`
	Prompts   bool     `json:"promptsListChanged,omitempty"`
	Resources bool     `json:"resourcesListChanged,omitempty"`
	URIs      []string `json:"resourceSubscriptions,omitempty"`
	Tasks     []string `json:"taskIds,omitempty"`
}

// params is the text of the params of subscriptions/listen, without _meta.
func (f Filter) params() []byte {
	return marshal(map[string]wireFilter{"notifications": wireFilter(f)})
}

// granted reads an acknowledgement: what of f the server "agreed to honor". What
// it grants beyond that was not asked for and does not count.
func (f Filter) granted(params []byte) Filter {
	var got wireFilter
	if v := object(rawjson.Get(params, "notifications")); v != nil {
		// A member of the wrong type grants nothing; the others still count.
		_ = json.Unmarshal(v, &got)
	}
	return Filter{
		Tools:     f.Tools && got.Tools,
		Prompts:   f.Prompts && got.Prompts,
		Resources: f.Resources && got.Resources,
		URIs:      common(f.URIs, got.URIs),
		Tasks:     common(f.Tasks, got.Tasks),
	}
}

// common returns the members of ours that theirs has too, in our order.
func common(ours, theirs []string) []string {
	if len(theirs) == 0 {
		return nil
	}
	has := make(map[string]bool, len(theirs))
	for _, s := range theirs {
		has[s] = true
	}
	var both []string
	for _, s := range ours {
		if has[s] {
			both = append(both, s)
		}
	}
	return both
}
