package jsonschema

import (
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// keywords reads the members of one schema object into its node.
type keywords struct {
	c       *compiler
	n       *node
	pointer string
	// alone: a $ref stands here that, in the old drafts, nothing else counts
	// beside.
	alone bool
}

// read takes one keyword. What is not known is an annotation.
func (k *keywords) read(key, text []byte) error {
	name := string(key)
	if k.alone && name != "$ref" {
		if name == "definitions" {
			_, err := k.nodeMap(name, text)
			return err
		}
		return nil
	}
	for _, read := range []func(string, []byte) (bool, error){k.core, k.general, k.number, k.string, k.array, k.object} {
		if known, err := read(name, text); known || err != nil {
			return err
		}
	}
	return nil
}

func (k *keywords) core(name string, text []byte) (known bool, err error) {
	switch name {
	case "$ref", "$dynamicRef":
		ref, err := rawjson.String(text)
		if err != nil {
			return true, k.must(name, "a string")
		}
		k.c.refs = append(k.c.refs, reference{from: k.n, text: ref, dynamic: name == "$dynamicRef"})
	case "$defs", "definitions":
		_, err = k.nodeMap(name, text)
	case "allOf":
		k.n.allOf, err = k.nodeList(name, text)
	case "anyOf":
		k.n.anyOf, err = k.nodeList(name, text)
	case "oneOf":
		k.n.oneOf, err = k.nodeList(name, text)
	case "not":
		k.n.not, err = k.node(name, text)
	case "if":
		k.n.when, err = k.node(name, text)
	case "then":
		k.n.then, err = k.node(name, text)
	case "else":
		k.n.els, err = k.node(name, text)
	default:
		return false, nil
	}
	return true, err
}

func (k *keywords) general(name string, text []byte) (known bool, err error) {
	switch name {
	case "type":
		k.n.kinds, err = k.kinds(text)
	case "const":
		canonical := string(parse(text).append(nil))
		k.n.constant, k.n.constText = &canonical, cut(text)
	case "enum":
		k.n.enum, k.n.enumText = make(map[string]bool), cut(text)
		if text[0] != '[' {
			return true, k.must(name, "an array")
		}
		err = rawjson.Array(text, func(item []byte) error {
			k.n.enum[string(parse(item).append(nil))] = true
			return nil
		})
	default:
		return false, nil
	}
	return true, err
}

// kinds reads the names of one or several types.
func (k *keywords) kinds(text []byte) (kind, error) {
	names := []string{stringOf(text)}
	if text[0] == '[' {
		var err error
		if names, err = k.names("type", text); err != nil {
			return 0, err
		}
	}
	var set kind
	for _, name := range names {
		one := kindOf(name)
		if one == 0 {
			return 0, k.must("type", "the name of a type")
		}
		set |= one
	}
	return set, nil
}

func stringOf(text []byte) string {
	s, _ := rawjson.String(text)
	return s
}

func (k *keywords) number(name string, text []byte) (known bool, err error) {
	n := &k.n.numberRules
	if b := text[0]; (b == 't' || b == 'f') && (name == "exclusiveMinimum" || name == "exclusiveMaximum") {
		return true, nil // draft 4; the limit itself is checked
	}
	switch name {
	case "minimum":
		n.minimum, err = k.bound(name, text)
	case "maximum":
		n.maximum, err = k.bound(name, text)
	case "exclusiveMinimum":
		n.above, err = k.bound(name, text)
	case "exclusiveMaximum":
		n.below, err = k.bound(name, text)
	case "multipleOf":
		n.multipleOf, err = k.bound(name, text)
		if err == nil && (n.multipleOf.negative || n.multipleOf.digits == "") {
			err = k.must(name, "greater than 0")
		}
	default:
		return false, nil
	}
	return true, err
}

func (k *keywords) string(name string, text []byte) (known bool, err error) {
	s := &k.n.stringRules
	switch name {
	case "minLength":
		s.minLength, err = k.count(name, text)
	case "maxLength":
		s.maxLength, err = k.count(name, text)
	case "pattern":
		if text[0] != '"' {
			return true, k.must(name, "a string")
		}
		s.pattern, err = k.pattern(name, stringOf(text))
	case "format":
		if k.c.formats {
			s.format = stringOf(text)
		}
	default:
		return false, nil
	}
	return true, err
}

func (k *keywords) array(name string, text []byte) (known bool, err error) {
	a := &k.n.arrayRules
	switch name {
	case "prefixItems":
		if !k.c.old {
			a.prefix, err = k.nodeList(name, text)
		}
	case "items":
		if a.listed = text[0] == '['; a.listed {
			a.prefix, err = k.nodeList(name, text)
		} else {
			a.items, err = k.node(name, text)
		}
	case "additionalItems":
		a.additionalItems, err = k.node(name, text)
	case "contains":
		a.contains, err = k.node(name, text)
	case "minContains":
		a.minContains, err = k.count(name, text)
	case "maxContains":
		a.maxContains, err = k.count(name, text)
	case "minItems":
		a.minItems, err = k.count(name, text)
	case "maxItems":
		a.maxItems, err = k.count(name, text)
	case "uniqueItems":
		a.unique = text[0] == 't'
	case "unevaluatedItems":
		a.unevaluatedItems, err = k.node(name, text)
	default:
		return false, nil
	}
	return true, err
}

func (k *keywords) object(name string, text []byte) (known bool, err error) {
	o := &k.n.objectRules
	switch name {
	case "properties":
		o.properties, err = k.nodeMap(name, text)
	case "patternProperties":
		err = k.patternMap(name, text)
	case "additionalProperties":
		o.additional, err = k.node(name, text)
	case "propertyNames":
		o.propertyNames, err = k.node(name, text)
	case "required":
		if b := text[0]; b != 't' && b != 'f' { // draft 3
			o.required, err = k.names(name, text)
		}
	case "minProperties":
		o.minProperties, err = k.count(name, text)
	case "maxProperties":
		o.maxProperties, err = k.count(name, text)
	case "dependentRequired", "dependentSchemas", "dependencies":
		err = k.dependencies(name, text)
	case "unevaluatedProperties":
		o.unevaluatedProperties, err = k.node(name, text)
	default:
		return false, nil
	}
	return true, err
}

// cut shortens a text of the schema for an error.
func cut(text []byte) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(string(text[:most]), "") + "…"
	}
	return string(text)
}
