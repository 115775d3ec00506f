package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// expander replaces the ${...} references in the texts of one document.
type expander struct {
	vars environ
	doc  *document
}

// expand returns text with its references replaced, once: what comes out is not
// looked at again. The complaints name what could not be replaced, and never
// quote text, which may hold a password with "${" in it.
func (x expander) expand(text string) (string, []string) {
	var out strings.Builder
	var complaints []string
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), complaints
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(literal + "${")
			text = rest
			continue
		}
		out.WriteString(before)
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", append(complaints, `has a "${" without a "}"; write "$${" for a literal "${"`)
		}
		replacement, err := x.reference(reference)
		if err != nil {
			complaints = append(complaints, err.Error())
		}
		out.WriteString(replacement)
		text = after
	}
}

// reference returns what ${body} stands for.
func (x expander) reference(body string) (string, error) {
	if name, ok := strings.CutPrefix(body, "env:"); ok {
		return x.variable(name)
	}
	if path, ok := strings.CutPrefix(body, "file:"); ok && path != "" {
		return x.file(path)
	}
	if id, ok := strings.CutPrefix(body, "input:"); ok {
		return "", fmt.Errorf("${input:%s} asks a person, whom a service does not have; "+
			"write ${env:NAME} or ${file:/path} instead", id)
	}
	switch body {
	case "userHome":
		return x.variable("HOME")
	case "workspaceFolder":
		return x.doc.base, nil
	case "workspaceFolderBasename":
		return filepath.Base(x.doc.base), nil
	case "pathSeparator", "/":
		return string(filepath.Separator), nil
	}
	return x.variable(body)
}

// variable returns the value of NAME, or of NAME:-default: like in a shell, the
// default stands in for an empty variable too.
func (x expander) variable(body string) (string, error) {
	name, fallback, hasFallback := strings.Cut(body, ":-")
	if strings.Contains(fallback, "${") {
		return "", fmt.Errorf("the default of ${%s} is a reference itself, which is not supported; "+
			"write the default as plain text", name)
	}
	if !isVariable(name) {
		return "", errors.New("has a ${...} that is none of ${NAME}, ${NAME:-default}, ${env:NAME}, ${file:/path}, " +
			"${userHome}, ${workspaceFolder}; write \"$${\" for a literal \"${\"")
	}
	value, set := x.vars[name]
	switch {
	case value == "" && hasFallback:
		return fallback, nil
	case !set:
		return "", fmt.Errorf("the variable %s is not set; export it, or write ${%s:-default}", name, name)
	}
	return value, nil
}

func isVariable(name string) bool {
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r == '-' || !isWord(r) })
}

// file returns the contents of the file at path without the line break at its
// end, which editors add and secrets do not have.
func (x expander) file(path string) (string, error) {
	data, err := readBounded(x.doc.resolve(path))
	if err != nil {
		return "", fmt.Errorf("the file %s %w", path, err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// bareVariable returns the name when text is $NAME and nothing else, which some
// products expand and we do not: passwords begin with "$" too.
func bareVariable(text string) (name string, ok bool) {
	name, ok = strings.CutPrefix(text, "$")
	return name, ok && isVariable(name)
}
