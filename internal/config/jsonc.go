package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// maxJSONDepth is far above what a settings file needs. The parser is recursive,
// so the bound is checked before it.
const maxJSONDepth = 1000

// parseJSONC reads JSON that may have comments and trailing commas, as the
// editors that write mcpServers files allow.
func parseJSONC(data []byte) (node, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return node{}, nil
	}
	if bracketDepth(data) > maxJSONDepth {
		return node{}, errors.New("is too deeply nested for a configuration")
	}
	root, err := hujson.Parse(data)
	if err != nil {
		return node{}, jsonError(err)
	}
	tree := jsonTree{data: data, line: 1}
	return tree.convert(root), nil
}

// jsonError retells a syntax error without the text of the file, which may be a
// secret somebody forgot to quote.
func jsonError(err error) error {
	message := strings.TrimPrefix(err.Error(), "hujson: ")
	message, _, _ = strings.Cut(message, "invalid literal:")
	return fmt.Errorf("is not valid JSON: %s", strings.TrimSuffix(message, ": "))
}

// bracketDepth returns how deep data nests.
func bracketDepth(data []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		case '"':
			i += stringLength(data[i:]) - 1
		case '/':
			i += commentLength(data[i:]) - 1
		}
	}
	return deepest
}

// stringLength returns the length of the JSON string that data begins with. One
// that never ends takes up the rest.
func stringLength(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// commentLength does the same for a comment, and returns 1 for a slash that
// begins none.
func commentLength(data []byte) int {
	var end string
	switch {
	case bytes.HasPrefix(data, []byte("//")):
		end = "\n"
	case bytes.HasPrefix(data, []byte("/*")):
		end = "*/"
	default:
		return 1
	}
	if i := bytes.Index(data[2:], []byte(end)); i >= 0 {
		return 2 + i + len(end)
	}
	return len(data)
}

// jsonTree turns the values of the JSON library into nodes. It visits them in
// the order of the file, so that lines are counted once.
type jsonTree struct {
	data    []byte
	counted int // bytes of data whose lines are in line
	line    int
}

func (t *jsonTree) lineOf(v hujson.Value) int {
	t.line += bytes.Count(t.data[t.counted:v.StartOffset], []byte("\n"))
	t.counted = v.StartOffset
	return t.line
}

func (t *jsonTree) convert(v hujson.Value) node {
	n := node{line: t.lineOf(v)}
	switch v := v.Value.(type) {
	case *hujson.Object:
		n.kind = mapping
		for _, member := range v.Members {
			line := t.lineOf(member.Name)
			key := member.Name.Value.(hujson.Literal).String() //nolint:forcetypeassert // a member's name is a literal
			n.fields = append(n.fields, field{key: key, line: line, value: t.convert(member.Value)})
		}
	case *hujson.Array:
		n.kind = list
		for _, element := range v.Elements {
			n.items = append(n.items, t.convert(element))
		}
	case hujson.Literal:
		if v.Kind() != 'n' {
			n.kind, n.text = scalar, v.String()
		}
	}
	return n
}
