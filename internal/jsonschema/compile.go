package jsonschema

import (
	"fmt"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A compiler turns the text of a schema into nodes.
type compiler struct {
	text    []byte
	formats bool
	// old is a draft up to 7: references have no siblings, and arrays other
	// keywords.
	old bool
	// nodes are all nodes by their JSON pointer from the root.
	nodes     map[string]*node
	resources []*resource
	refs      []reference
	// weight is that of all patterns, pointers the length of all JSON pointers,
	// found the number of nodes that only a reference led to.
	weight, pointers, found int
}

// A reference waits for all nodes to be there.
type reference struct {
	from    *node
	text    string
	dynamic bool
}

func newCompiler(text []byte, o Options) *compiler {
	c := &compiler{text: text, formats: o.Formats, nodes: make(map[string]*node)}
	dialect, _ := rawjson.String(rawjson.Get(text, "$schema"))
	for _, draft := range []string{"draft-03/", "draft-04/", "draft-06/", "draft-07/"} {
		c.old = c.old || strings.Contains(dialect, "json-schema.org/"+draft)
	}
	return c
}

func (c *compiler) compileRoot() (*node, error) {
	root, err := c.compile(c.text, "", nil)
	if err != nil {
		return nil, err
	}
	for len(c.refs) > 0 { // there may be more where a reference leads
		ref := c.refs[0]
		c.refs = c.refs[1:]
		if err := c.resolve(ref); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// compile compiles the schema at that pointer, once. in is the resource around
// it.
func (c *compiler) compile(text []byte, pointer string, in *resource) (*node, error) {
	if n := c.nodes[pointer]; n != nil {
		return n, nil
	}
	if len(c.nodes) >= maxSchemaNodes {
		return nil, fmt.Errorf("%w: the schema has more than %d parts", ErrUnchecked, maxSchemaNodes)
	}
	if c.pointers += len(pointer); c.pointers > maxPointerBytes {
		return nil, fmt.Errorf("%w: the names in the schema are too long", ErrUnchecked)
	}
	n := &node{resource: in}
	c.nodes[pointer] = n
	switch text[0] {
	case 't', 'f':
		n.never = text[0] == 'f'
		if in == nil {
			n.resource = c.newResource("", "")
		}
		return n, nil
	case '{':
	default:
		return nil, broken(pointer, "a schema must be an object or a boolean")
	}
	if err := c.identify(n, text, pointer); err != nil {
		return nil, err
	}
	k := keywords{c: c, n: n, pointer: pointer, alone: c.old && rawjson.Get(text, "$ref") != nil}
	return n, rawjson.Object(text, k.read)
}

// identify finds out which resource the node belongs to, and its names there.
func (c *compiler) identify(n *node, text []byte, pointer string) error {
	id := stringMember(text, "$id")
	if id == "" && c.old {
		id = stringMember(text, "id")
	}
	if c.old && rawjson.Get(text, "$ref") != nil {
		id = ""
	}
	anchor := stringMember(text, "$anchor")
	if name, ok := strings.CutPrefix(id, "#"); ok && c.old {
		id, anchor = "", name
	}
	if id != "" || n.resource == nil {
		base := ""
		if n.resource != nil {
			base = n.resource.uri
		}
		uri, _, err := join(base, id)
		if err != nil {
			return broken(pointer, "$id is no URI")
		}
		n.resource = c.newResource(uri, pointer)
	}
	if anchor != "" {
		n.resource.anchors[anchor] = n
	}
	if name := stringMember(text, "$dynamicAnchor"); name != "" {
		n.resource.anchors[name], n.resource.dynamic[name] = n, n
	}
	return nil
}

func (c *compiler) newResource(uri, pointer string) *resource {
	r := &resource{uri: uri, pointer: pointer, anchors: make(map[string]*node), dynamic: make(map[string]*node)}
	c.resources = append(c.resources, r)
	return r
}

// stringMember returns a member that is a string, empty if there is none.
func stringMember(object []byte, name string) string {
	s, _ := rawjson.String(rawjson.Get(object, name))
	return s
}

func broken(pointer, problem string, args ...any) error {
	if pointer == "" {
		return fmt.Errorf(problem, args...)
	}
	return fmt.Errorf("%s: %w", pointer, fmt.Errorf(problem, args...))
}
