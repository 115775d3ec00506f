package config

import (
	"maps"
	"slices"
	"strings"
)

// configEnv names the configuration file, as --config does.
const configEnv = envPrefix + "CONFIG"

// environ is the environment by name.
type environ map[string]string

func newEnviron(env []string) environ {
	vars := make(environ, len(env))
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// readEnviron assigns the MCPBRIDGE_* variables. An empty one counts as not set:
// that is what compose files make of a variable that does not exist.
func (l *loader) readEnviron() {
	byName := make(map[string]setting)
	for _, s := range l.settings {
		byName[s.env()] = s
	}
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		text := l.vars[name]
		if !strings.HasPrefix(name, envPrefix) || text == "" || name == configEnv {
			continue
		}
		s, known := byName[name]
		switch {
		case known && s.sep != "":
			l.assign(s.key, s, listNode(strings.Split(text, s.sep)), name)
		case known:
			l.assign(s.key, s, textNode(text), name)
		case !isServiceLink(name, text):
			candidates := append(slices.Sorted(maps.Keys(byName)), configEnv)
			l.fail("", name, "is no setting; names that begin with "+envPrefix+" are reserved for settings"+
				didYouMean(name, candidates))
		}
	}
}

// isServiceLink reports whether Kubernetes sets name to text for a Service called
// mcpbridge or mcpbridge-something, as it does in every pod of the namespace:
// MCPBRIDGE_SERVICE_HOST, MCPBRIDGE_SERVICE_PORT_GRPC, MCPBRIDGE_PORT_9090_TCP_ADDR,
// and MCPBRIDGE_PORT, which has a URL for its value.
func isServiceLink(name, text string) bool {
	if strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") {
		return true
	}
	if strings.HasSuffix(name, "_PORT") {
		return strings.Contains(text, "://")
	}
	_, rest, found := strings.Cut(name, "_PORT_")
	port, _, _ := strings.Cut(rest, "_")
	return found && port != "" && strings.Trim(port, "0123456789") == ""
}
