package group

import (
	"regexp"
	"strings"
	"sync"
)

// maxTemplate bounds the bytes of a URI template that is matched.
const maxTemplate = 2 << 10

// matcher returns whether a URI may come of a template (RFC 6570). Expressions
// are not read in full: one of simple expansion stands for what has no "/", "?"
// or "#", any other for anything. Matching takes time in proportion to the URI.
func matcher(template string) func(uri string) bool {
	if len(template) > maxTemplate {
		return func(string) bool { return false }
	}
	compiled := sync.OnceValue(func() *regexp.Regexp { return compile(template) })
	return func(uri string) bool {
		re := compiled()
		return re != nil && re.MatchString(uri)
	}
}

// compile returns nil for what is no template.
func compile(template string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	for {
		literal, rest, more := strings.Cut(template, "{")
		b.WriteString(regexp.QuoteMeta(literal))
		if !more {
			break
		}
		expression, after, closed := strings.Cut(rest, "}")
		if !closed || expression == "" {
			return nil
		}
		if strings.ContainsRune("+#./;?&=,!@|", rune(expression[0])) {
			b.WriteString(`.*`)
		} else {
			b.WriteString(`[^/?#]*`)
		}
		template = after
	}
	b.WriteString(`)\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil
	}
	return re
}
