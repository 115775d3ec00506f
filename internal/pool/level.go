package pool

import "slices"

// severity orders the log levels of MCP, which are those of RFC 5424: the
// higher, the more severe. A level that is none of them counts as the most
// severe, so that it is not filtered out.
func severity(level string) int {
	levels := []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}
	if i := slices.Index(levels, level); i >= 0 {
		return i
	}
	return len(levels)
}

// lower returns the less severe of two levels. An empty one is none.
func lower(a, b string) string {
	if a == "" || b != "" && severity(b) < severity(a) {
		return b
	}
	return a
}
