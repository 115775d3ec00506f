package config

// node is one value of a source, whichever syntax it was written in: a YAML or
// JSON file, a variable or a flag. The zero node is null, which everywhere means
// "not set".
type node struct {
	kind   kind
	line   int     // 1-based; 0 in a source without lines
	text   string  // of a scalar, as written
	items  []node  // of a list
	fields []field // of a mapping, in the order written, duplicates included
}

type field struct {
	key   string
	line  int
	value node
}

type kind int

const (
	null kind = iota
	scalar
	list
	mapping
)

// String names the kind in a message: "is a list; ...".
func (k kind) String() string {
	switch k {
	case scalar:
		return "single value"
	case list:
		return "list"
	case mapping:
		return "mapping"
	default:
		return "empty value"
	}
}

func textNode(text string) node { return node{kind: scalar, text: text} }

func listNode(texts []string) node {
	n := node{kind: list}
	for _, text := range texts {
		n.items = append(n.items, textNode(text))
	}
	return n
}

// empty reports whether n holds nothing: null, "", an empty list or mapping.
func (n node) empty() bool {
	return n.text == "" && len(n.items) == 0 && len(n.fields) == 0
}
