package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake, told so that the operator can mend it.
type Problem struct {
	Key     string // "grpc.addr", "servers.github.url"; "" when the source as a whole is meant
	Source  string // "mcpbridge.yaml:3", "MCPBRIDGE_GRPC_ADDR", "--grpc-addr"; "" when no source is known
	Message string // what is wrong, then the fix; never a secret
}

// Error tells the problem in one line, the source first as compilers do.
func (p Problem) Error() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Source, p.Key, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems are all the mistakes of one configuration.
type Problems []Problem

// Error tells all of them, one a line.
func (ps Problems) Error() string {
	if len(ps) == 1 {
		return ps[0].Error()
	}
	lines := make([]string, 0, len(ps)+1)
	lines = append(lines, fmt.Sprintf("%d problems in the configuration:", len(ps)))
	for _, p := range ps {
		lines = append(lines, "  "+p.Error())
	}
	return strings.Join(lines, "\n")
}

// about reports whether one of them is with key, or with a key below it. When
// that could not be read, what its value looks like says nothing.
func (ps Problems) about(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		return p.Key == key || strings.HasPrefix(p.Key, key+".")
	})
}

// orNil keeps an empty list from becoming a non-nil error.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
