package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A configuration is a few levels deep and, with every alias written out, a few
// thousand values long. The bounds keep a file of nested aliases from becoming
// gigabytes.
const (
	maxYAMLDepth = 32
	maxYAMLNodes = 100_000
)

// parseYAML reads one YAML document.
func parseYAML(data []byte) (node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return node{}, nil
	}
	if err != nil {
		return node{}, yamlError(err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return node{}, errors.New(`has more than one YAML document; remove the "---" in between`)
	}
	tree := yamlTree{left: maxYAMLNodes}
	return tree.convert(&root, 0)
}

// yamlError retells a syntax error without the text of the file, which may be a
// secret: an unquoted value that begins with "*" is an anchor to YAML.
func yamlError(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if before, _, found := strings.Cut(message, "unknown anchor"); found {
		message = before + `unknown anchor; put a value that begins with "*" in quotes`
	}
	return fmt.Errorf("is not valid YAML: %s", message)
}

// yamlTree turns the nodes of the YAML library into ours, aliases resolved.
type yamlTree struct {
	left int // nodes it may still make
}

func (t *yamlTree) convert(y *yaml.Node, depth int) (node, error) {
	t.left--
	if depth > maxYAMLDepth || t.left < 0 {
		return node{}, errors.New("is too large or too deeply nested for a configuration")
	}
	n := node{line: y.Line}
	switch y.Kind {
	case yaml.DocumentNode:
		return t.convert(y.Content[0], depth+1)
	case yaml.AliasNode:
		return t.convert(y.Alias, depth+1)
	case yaml.ScalarNode:
		if y.ShortTag() != "!!null" {
			n.kind, n.text = scalar, y.Value
		}
		return n, nil
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			converted, err := t.convert(item, depth+1)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, converted)
		}
		return n, nil
	default:
		return t.convertMapping(y, depth)
	}
}

func (t *yamlTree) convertMapping(y *yaml.Node, depth int) (node, error) {
	n := node{kind: mapping, line: y.Line}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return node{}, fmt.Errorf("has a key on line %d that is not a plain text", key.Line)
		}
		converted, err := t.convert(y.Content[i+1], depth+1)
		if err != nil {
			return node{}, err
		}
		n.fields = append(n.fields, field{key: key.Value, line: key.Line, value: converted})
	}
	return n, nil
}
