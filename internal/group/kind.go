package group

import "github.com/mcpbridge/mcpbridge/internal/rawjson"

// A Kind is one of the lists of a server.
type Kind uint8

const (
	// Tools are the tools.
	Tools Kind = iota
	// Resources are the resources.
	Resources
	// Templates are the resource templates.
	Templates
	// Prompts are the prompts.
	Prompts
)

// kinds is how many there are.
const kinds = 4

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{Tools, Resources, Templates, Prompts} }

// String says what the items of the kind are called.
func (k Kind) String() string {
	names := [kinds]string{"tool", "resource", "resource template", "prompt"}
	if int(k) < len(names) {
		return names[k]
	}
	return "item"
}

// uri is the member of an item that holds its URI or template; empty if it has
// none.
func (k Kind) uri() string {
	switch k {
	case Resources:
		return "uri"
	case Templates:
		return "uriTemplate"
	case Tools, Prompts:
	}
	return ""
}

// An Item is one of a list.
type Item struct {
	// JSON is the text of the item as the group lists it: as the server sent it,
	// but for the name.
	JSON []byte
	// Member is where it comes from.
	Member Member
	// Own is its name there.
	Own string
}

// An entry is an item as its member lists it.
type entry struct {
	json []byte
	own  string
	uri  string
	// matches reports whether a URI fits the template; nil: it is none.
	matches func(uri string) bool
}

// entriesOf reads a list. What is not an object is left out.
func entriesOf(k Kind, list []byte) ([]entry, error) {
	var all []entry
	err := rawjson.Array(list, func(v []byte) error {
		if len(v) == 0 || v[0] != '{' {
			return nil
		}
		e := entry{json: v}
		e.own, _ = rawjson.String(rawjson.Get(v, "name"))
		if key := k.uri(); key != "" {
			e.uri, _ = rawjson.String(rawjson.Get(v, key))
		}
		if k == Templates {
			e.matches = matcher(e.uri)
		}
		all = append(all, e)
		return nil
	})
	return all, err
}

// renamed returns the text of the item under another name; all else stays as it
// is.
func (e entry) renamed(name string) []byte {
	if name == e.own {
		return e.json
	}
	out := make([]byte, 0, len(e.json)+len(name))
	out = append(out, '{')
	_ = rawjson.Object(e.json, func(key, v []byte) error { // it was read before
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, key), ':')
		if string(key) == "name" {
			out = rawjson.AppendString(out, name)
			return nil
		}
		out = append(out, v...)
		return nil
	})
	return append(out, '}')
}
