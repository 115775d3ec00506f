package config

import (
	"fmt"
	"strings"
)

// parseEnvFile reads NAME=value lines, as the env_file of a server has them.
// Empty lines and lines that begin with "#" are skipped, "export " in front is
// allowed. A value may be in quotes; within double quotes \n, \", \\ and \$ are
// escapes. Nothing is expanded. The complaints name the line, never its text.
func parseEnvFile(data string) (map[string]string, []string) {
	vars := make(map[string]string)
	var complaints []string
	number := 0
	for line := range strings.Lines(data) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, found := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		value, ok := envFileValue(strings.TrimSpace(text))
		if !found || !ok || name == "" {
			complaints = append(complaints, fmt.Sprintf(`line %d is not NAME=value, NAME="value" or NAME='value'`, number))
			continue
		}
		vars[name] = value
	}
	return vars, complaints
}

func envFileValue(text string) (value string, ok bool) {
	switch {
	case strings.HasPrefix(text, "'"):
		value, rest, closed := strings.Cut(text[1:], "'")
		return value, closed && isComment(rest)
	case strings.HasPrefix(text, `"`):
		return doubleQuoted(text[1:])
	}
	value, _, _ = strings.Cut(text, " #")
	return strings.TrimSpace(value), true
}

func isComment(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}

func doubleQuoted(text string) (value string, ok bool) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return out.String(), isComment(text[i+1:])
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteString(unescape(text[i]))
		default:
			out.WriteByte(c)
		}
	}
	return "", false
}

// unescape returns what a backslash and c stand for; both, when it is no escape.
func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case '"', '\\', '$':
		return string(c)
	}
	return string([]byte{'\\', c})
}
