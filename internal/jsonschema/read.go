package jsonschema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The values that keywords have. Each reader says what a keyword must be.

func (k *keywords) must(keyword, be string) error {
	return broken(k.pointer, "%s must be %s", keyword, be)
}

// below returns the pointer to a part of the keyword's value.
func (k *keywords) below(keyword, part string) string {
	return k.pointer + "/" + keyword + "/" + escape(part)
}

// escape makes a name part of a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (k *keywords) node(keyword string, text []byte) (*node, error) {
	return k.c.compile(text, k.pointer+"/"+keyword, k.n.resource)
}

func (k *keywords) nodeList(keyword string, text []byte) ([]*node, error) {
	if text[0] != '[' {
		return nil, k.must(keyword, "an array")
	}
	list := []*node{}
	err := rawjson.Array(text, func(item []byte) error {
		n, err := k.c.compile(item, k.below(keyword, strconv.Itoa(len(list))), k.n.resource)
		list = append(list, n)
		return err
	})
	return list, err
}

func (k *keywords) nodeMap(keyword string, text []byte) (map[string]*node, error) {
	if text[0] != '{' {
		return nil, k.must(keyword, "an object")
	}
	nodes := make(map[string]*node)
	err := rawjson.Object(text, func(key, member []byte) error {
		n, err := k.c.compile(member, k.below(keyword, string(key)), k.n.resource)
		nodes[string(key)] = n
		return err
	})
	return nodes, err
}

func (k *keywords) patternMap(keyword string, text []byte) error {
	nodes, err := k.nodeMap(keyword, text)
	if err != nil {
		return err
	}
	for expression, n := range nodes {
		p, err := k.pattern(keyword, expression)
		if err != nil {
			return err
		}
		if p == nil {
			k.n.unknowable = true
			continue
		}
		k.n.patterns = append(k.n.patterns, patternNode{pattern: p, node: n})
	}
	return nil
}

// dependencies reads dependentRequired and dependentSchemas, and dependencies,
// which the old drafts have for both.
func (k *keywords) dependencies(keyword string, text []byte) error {
	if text[0] != '{' {
		return k.must(keyword, "an object")
	}
	o := &k.n.objectRules
	return rawjson.Object(text, func(key, member []byte) (err error) {
		if member[0] == '[' {
			if o.dependentRequired == nil {
				o.dependentRequired = make(map[string][]string)
			}
			o.dependentRequired[string(key)], err = k.names(keyword, member)
			return err
		}
		if o.dependentSchemas == nil {
			o.dependentSchemas = make(map[string]*node)
		}
		o.dependentSchemas[string(key)], err = k.c.compile(member, k.below(keyword, string(key)), k.n.resource)
		return err
	})
}

// names reads an array of strings.
func (k *keywords) names(keyword string, text []byte) ([]string, error) {
	if text[0] != '[' {
		return nil, k.must(keyword, "an array")
	}
	var names []string
	err := rawjson.Array(text, func(item []byte) error {
		name, err := rawjson.String(item)
		if err != nil {
			return k.must(keyword, "an array of strings")
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// bound reads a number.
func (k *keywords) bound(keyword string, text []byte) (*bound, error) {
	if text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return nil, k.must(keyword, "a number")
	}
	return &bound{decimal: parseDecimal(text), text: cut(text)}, nil
}

// count reads a number that counts something.
func (k *keywords) count(keyword string, text []byte) (*int, error) {
	b, err := k.bound(keyword, text)
	if err != nil || b.negative || !b.integer() {
		return nil, k.must(keyword, "an integer that is not negative")
	}
	const most = 1 << 30 // nothing here has more
	n := 0
	for i := range b.point {
		digit := 0
		if i < int64(len(b.digits)) {
			digit = int(b.digits[i] - '0')
		}
		if n = n*10 + digit; n > most {
			n = most
			break
		}
	}
	return &n, nil
}

// The bounds of regular expressions: of the program that one becomes, and of all
// in a schema.
const (
	maxPatternWeight  = 10_000
	maxPatternsWeight = 100_000
)

// pattern compiles a regular expression. It is nil if it is one of those that
// JavaScript knows, and RE2, which takes linear time, does not: such a pattern is
// not checked.
func (k *keywords) pattern(keyword, expression string) (*pattern, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	var problem *syntax.Error
	if errors.As(err, &problem) {
		switch problem.Code {
		case syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape, syntax.ErrInvalidCharRange, syntax.ErrInvalidRepeatSize, syntax.ErrLarge:
			return nil, nil
		default:
			return nil, broken(k.pointer, "%s: %s in a regular expression", keyword, problem.Code)
		}
	}
	weight := weigh(tree)
	if k.c.weight += weight; weight > maxPatternWeight || k.c.weight > maxPatternsWeight {
		return nil, fmt.Errorf("%w: its regular expressions are too large", ErrUnchecked)
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, broken(k.pointer, "%s: %w", keyword, err)
	}
	return &pattern{Regexp: re, weight: weight}, nil
}

// weigh returns about how many instructions an expression becomes.
func weigh(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += weigh(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return min(n, 1<<20)
}
