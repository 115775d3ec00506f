package jsonschema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A run is one validation.
type run struct {
	fuel  int
	depth int
	// exhausted: a bound was reached, and what was found since says nothing.
	exhausted bool
	// scope are the resources that the check came through, outermost first.
	scope []*resource
}

// spend takes steps off the fuel and reports whether there was enough.
func (r *run) spend(steps int) bool {
	r.fuel -= steps
	r.exhausted = r.exhausted || r.fuel < 0
	return !r.exhausted
}

func wrong(problem string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf(problem, args...)}
}

// under puts a member or an item in front of an error's path.
func under(token string, err *Error) *Error {
	if err != nil && len(err.Path) < 500 {
		err.Path = "/" + escape(cut([]byte(token))) + err.Path
	}
	return err
}

// check checks a value against a node. If seen is not nil, it notes there which
// parts of the value the node has evaluated; it holds nothing after an error.
func (r *run) check(n *node, v *value, seen *evaluated) *Error {
	if r.depth++; r.depth > maxDepth {
		r.exhausted = true
	}
	defer func() { r.depth-- }()
	switch {
	case !r.spend(1):
		return wrong("the check was given up")
	case n.never:
		return wrong("must not be there")
	}
	if len(r.scope) == 0 || r.scope[len(r.scope)-1] != n.resource {
		r.scope = append(r.scope, n.resource)
		defer func() { r.scope = r.scope[:len(r.scope)-1] }()
	}
	if seen == nil && (n.unevaluatedItems != nil || n.unevaluatedProperties != nil) {
		seen = new(evaluated)
	}
	if err := r.general(n, v); err != nil {
		return err
	}
	if err := r.typed(n, v, seen); err != nil {
		return err
	}
	if err := r.references(n, v, seen); err != nil {
		return err
	}
	if err := r.applied(n, v, seen); err != nil {
		return err
	}
	return r.unevaluated(n, v, seen)
}

// general checks what applies to values of all types.
func (r *run) general(n *node, v *value) *Error {
	if n.kinds != 0 && !v.is(n.kinds) {
		return wrong("must be %s, is %s", n.kinds, v.kind)
	}
	if n.constant == nil && n.enum == nil {
		return nil
	}
	text := string(v.append(nil))
	switch {
	case !r.spend(len(text) / 16):
		return nil
	case n.constant != nil && text != *n.constant:
		return wrong("must be %s", n.constText)
	case n.enum != nil && !n.enum[text]:
		return wrong("must be one of %s", n.enumText)
	}
	return nil
}

// typed checks what applies to values of one type.
func (r *run) typed(n *node, v *value, seen *evaluated) *Error {
	switch v.kind {
	case kindNumber, kindInteger:
		return r.number(&n.numberRules, v.number)
	case kindString:
		return r.text(&n.stringRules, v.text)
	case kindArray:
		return r.array(&n.arrayRules, v.items, seen)
	case kindObject:
		return r.object(&n.objectRules, v, seen)
	default:
		return nil
	}
}

func (r *run) number(n *numberRules, d decimal) *Error {
	switch {
	case n.minimum != nil && d.compare(n.minimum.decimal) < 0:
		return wrong("must be at least %s", n.minimum.text)
	case n.maximum != nil && d.compare(n.maximum.decimal) > 0:
		return wrong("must be at most %s", n.maximum.text)
	case n.above != nil && d.compare(n.above.decimal) <= 0:
		return wrong("must be greater than %s", n.above.text)
	case n.below != nil && d.compare(n.below.decimal) >= 0:
		return wrong("must be less than %s", n.below.text)
	case n.multipleOf == nil:
		return nil
	}
	const long = 1000 // digits, of which dividing takes the square in time
	switch {
	case len(d.digits) > long || len(n.multipleOf.digits) > long || !r.spend(len(d.digits)):
		r.exhausted = true
	case !d.multipleOf(n.multipleOf.decimal):
		return wrong("must be a multiple of %s", n.multipleOf.text)
	}
	return nil
}

func (r *run) text(n *stringRules, text string) *Error {
	if n.minLength != nil || n.maxLength != nil {
		length := utf8.RuneCountInString(text) // "the number of its characters as defined by RFC 8259"
		switch {
		case !r.spend(len(text) / 16):
			return nil
		case n.minLength != nil && length < *n.minLength:
			return wrong("must have at least %d characters", *n.minLength)
		case n.maxLength != nil && length > *n.maxLength:
			return wrong("must have at most %d characters", *n.maxLength)
		}
	}
	if n.pattern != nil && !r.match(n.pattern, text) {
		return wrong("must match the pattern %s", cut([]byte(n.pattern.String())))
	}
	if n.format != "" && !hasFormat(n.format, text) {
		return wrong("must be of the format %s", cut([]byte(n.format)))
	}
	return nil
}

// match matches in a time that is linear in the text and in the expression.
func (r *run) match(p *pattern, text string) bool {
	return r.spend(1+len(text)*p.weight/64) && p.MatchString(text)
}

// references follows $ref and $dynamicRef.
func (r *run) references(n *node, v *value, seen *evaluated) *Error {
	if n.ref != nil {
		if err := r.inPlace(n.ref, v, seen); err != nil {
			return err
		}
	}
	if n.dynamicRef == nil {
		return nil
	}
	target := n.dynamicRef
	if n.dynamicName != "" && r.spend(len(r.scope)/8) {
		for _, outer := range r.scope {
			if anchored := outer.dynamic[n.dynamicName]; anchored != nil {
				target = anchored
				break
			}
		}
	}
	return r.inPlace(target, v, seen)
}

// inPlace checks the same value against another node.
func (r *run) inPlace(n *node, v *value, seen *evaluated) *Error {
	if seen == nil {
		return r.check(n, v, nil)
	}
	var own evaluated
	err := r.check(n, v, &own)
	if err == nil {
		r.spend(seen.merge(&own))
	}
	return err
}

// applied checks the combinations of other nodes.
func (r *run) applied(n *node, v *value, seen *evaluated) *Error {
	for _, part := range n.allOf {
		if err := r.inPlace(part, v, seen); err != nil {
			return err
		}
	}
	if n.anyOf != nil && r.matches(n.anyOf, v, seen, seen != nil) == 0 {
		return noneOf(n.anyOf, "anyOf")
	}
	if n.oneOf != nil {
		switch count := r.matches(n.oneOf, v, seen, true); count {
		case 0:
			return noneOf(n.oneOf, "oneOf")
		case 1:
		default:
			return wrong("must match exactly one of the schemas of oneOf, matches %d", count)
		}
	}
	if n.not != nil && r.check(n.not, v, nil) == nil {
		return wrong("must not match the schema of not")
	}
	if n.when == nil {
		return nil
	}
	branch := n.then
	if r.inPlace(n.when, v, seen) != nil {
		branch = n.els
	}
	if branch == nil {
		return nil
	}
	return r.inPlace(branch, v, seen)
}

// matches counts the nodes that a value matches: all of them, or up to the
// first.
func (r *run) matches(nodes []*node, v *value, seen *evaluated, all bool) (count int) {
	for _, n := range nodes {
		if r.inPlace(n, v, seen) == nil {
			if count++; !all {
				break
			}
		}
	}
	return count
}

// noneOf says that no alternative matches. Those that are constants, as the
// options of a form are, are told.
func noneOf(nodes []*node, keyword string) *Error {
	var constants []string
	for _, n := range nodes {
		if n.constant == nil {
			return wrong("must match one of the schemas of %s", keyword)
		}
		constants = append(constants, n.constText)
	}
	return wrong("must be one of [%s]", cut([]byte(strings.Join(constants, ","))))
}
