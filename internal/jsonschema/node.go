package jsonschema

import "regexp"

// A node is one compiled schema or subschema. Nil pointers and slices are
// keywords that it does not have.
type node struct {
	// resource is the embedded schema resource that the node stands in.
	resource *resource
	// never is the schema false.
	never bool

	ref        *node
	dynamicRef *node
	// dynamicName is the anchor that dynamicRef leads to, if that is a dynamic
	// one.
	dynamicName string

	kinds kind
	// enum holds the values of enum in their canonical text, constant that of const.
	enum map[string]bool
	// enumText is what an error shows of enum.
	enumText  string
	constant  *string
	constText string

	numberRules
	stringRules
	arrayRules
	objectRules

	allOf, anyOf, oneOf  []*node
	not, when, then, els *node
}

type numberRules struct {
	minimum, maximum, above, below, multipleOf *bound
}

// A bound is a number of the schema, and its text there.
type bound struct {
	decimal

	text string
}

type stringRules struct {
	minLength, maxLength *int
	pattern              *pattern
	format               string
}

// A pattern is a regular expression with what a match of it costs for each byte.
type pattern struct {
	*regexp.Regexp

	weight int
}

type arrayRules struct {
	prefix []*node
	items  *node
	// listed: prefix comes from items, as up to 2019-09, and additionalItems is
	// for what follows.
	listed                   bool
	additionalItems          *node
	contains                 *node
	minContains, maxContains *int
	minItems, maxItems       *int
	unique                   bool
	unevaluatedItems         *node
}

type objectRules struct {
	properties map[string]*node
	patterns   []patternNode
	// unknowable: there is a pattern beyond us, which may or may not speak of a
	// member.
	unknowable                   bool
	additional                   *node
	propertyNames                *node
	required                     []string
	minProperties, maxProperties *int
	dependentRequired            map[string][]string
	dependentSchemas             map[string]*node
	unevaluatedProperties        *node
}

type patternNode struct {
	pattern *pattern
	node    *node
}

// A resource is a schema with an address of its own: the whole document, and
// every part of it that has an $id.
type resource struct {
	// uri is its absolute address, or what is known of it.
	uri string
	// pointer leads to it from the document's root.
	pointer string
	// anchors and dynamic are its parts with names.
	anchors, dynamic map[string]*node
}
