package jsonschema

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// maxFound bounds the references to schemas that no keyword holds: each takes a
// walk through the text.
const maxFound = 500

// resolve finds the node that a reference leads to. References to other
// documents are not followed: a server could make us fetch anything.
func (c *compiler) resolve(ref reference) error {
	uri, fragment, err := join(ref.from.resource.uri, ref.text)
	if err != nil {
		return fmt.Errorf("$ref %.100q is no URI", ref.text)
	}
	target := c.resource(uri)
	if target == nil {
		return fmt.Errorf("%w: $ref %.100q leads to another document", ErrUnchecked, ref.text)
	}
	n, err := c.within(target, fragment)
	if err != nil {
		return err
	}
	if n == nil {
		return fmt.Errorf("$ref %.100q leads nowhere", ref.text)
	}
	if !ref.dynamic {
		ref.from.ref = n
		return nil
	}
	ref.from.dynamicRef = n
	if n.resource.dynamic[fragment] == n {
		ref.from.dynamicName = fragment
	}
	return nil
}

func (c *compiler) resource(uri string) *resource {
	for _, r := range c.resources {
		if r.uri == uri {
			return r
		}
	}
	return nil
}

// within returns the node of a resource that a fragment names, nil if there is
// none.
func (c *compiler) within(r *resource, fragment string) (*node, error) {
	if fragment != "" && fragment[0] != '/' {
		return r.anchors[fragment], nil
	}
	pointer := r.pointer + fragment
	if n := c.nodes[pointer]; n != nil {
		return n, nil
	}
	if c.found++; c.found > maxFound {
		return nil, fmt.Errorf("%w: too many references to unusual places", ErrUnchecked)
	}
	text, in := c.find(pointer)
	if text == nil {
		return nil, nil
	}
	return c.compile(text, pointer, in)
}

// find follows a JSON pointer through the document. It returns nil if that leads
// nowhere, and the innermost resource on the way.
func (c *compiler) find(pointer string) (text []byte, in *resource) {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	text, in = c.text, c.at("", nil)
	for end := 0; end < len(pointer); {
		start := end + 1
		end = len(pointer)
		if i := strings.IndexByte(pointer[start:], '/'); i >= 0 {
			end = start + i
		}
		if text = step(text, unescape.Replace(pointer[start:end])); text == nil {
			return nil, nil
		}
		in = c.at(pointer[:end], in)
	}
	return text, in
}

// at returns the resource that begins at a pointer, otherwise none.
func (c *compiler) at(pointer string, otherwise *resource) *resource {
	for _, r := range c.resources {
		if r.pointer == pointer {
			return r
		}
	}
	return otherwise
}

// step returns a member of an object or an item of an array, nil if there is
// none.
func step(text []byte, token string) (found []byte) {
	switch text[0] {
	case '{':
		return rawjson.Get(text, token)
	case '[':
		want, err := strconv.Atoi(token)
		if err != nil {
			return nil
		}
		i := 0
		_ = rawjson.Array(text, func(item []byte) error {
			if i == want {
				found = item
			}
			i++
			return nil
		})
	}
	return found
}

// join resolves a reference against a base and splits off the fragment, decoded.
func join(base, reference string) (uri, fragment string, err error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", "", err
	}
	u, err := url.Parse(reference)
	if err != nil {
		return "", "", err
	}
	fragment = u.Fragment
	u.Fragment, u.RawFragment = "", ""
	if *u == (url.URL{}) {
		return base, fragment, nil
	}
	return b.ResolveReference(u).String(), fragment, nil
}
