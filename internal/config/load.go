package config

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Load reads the configuration for a process with these arguments (without the
// program's name) and this environment (as os.Environ returns it). Help goes to
// output; then the error is [flag.ErrHelp]. Any other error is [Problems], with
// everything that is wrong.
func Load(args, env []string, output io.Writer) (*Config, error) {
	line, err := parseFlags(args, output)
	if err != nil {
		return nil, err
	}
	l := newLoader(env)
	file := l.openConfig(line)
	l.readFile(file)
	l.readEnviron()
	l.readFlags(line)
	l.readServers(file)
	l.readGroups(file)
	return l.finish()
}

// loader fills a Config from its sources, least important first, and remembers
// which of them each key came from.
type loader struct {
	vars     environ
	cfg      *Config
	settings []setting         // of cfg
	origins  map[string]string // key to source
	problems Problems
}

func newLoader(env []string) *loader {
	cfg := Default()
	return &loader{vars: newEnviron(env), cfg: cfg, settings: settings(cfg), origins: make(map[string]string)}
}

func (l *loader) fail(key, source, message string) {
	l.problems = append(l.problems, Problem{Key: key, Source: source, Message: message})
}

func (l *loader) warn(key, source, message string) {
	l.cfg.Warnings = append(l.cfg.Warnings, Problem{Key: key, Source: source, Message: message})
}

// assign gives n to s, which key names in full.
func (l *loader) assign(key string, s setting, n node, source string) {
	if err := s.value.assign(n); err != nil {
		for _, reason := range reasons(err) {
			l.fail(key, source, reason)
		}
		return
	}
	l.origins[key] = source
}

// openConfig reads the YAML file that the command line or the environment
// names, else the first that exists of the usual ones. It returns nil when there
// is none.
func (l *loader) openConfig(line commandLine) *document {
	path := l.vars[configEnv]
	if line.configGiven {
		path = line.config
	}
	if path != "" || line.configGiven {
		return l.open(path, true, parseYAML)
	}
	for _, path := range searchPaths(l.vars) {
		// A folder that may not be looked into, as another user's home, has no
		// file for us.
		if _, err := os.Stat(path); err == nil {
			return l.open(path, true, parseYAML)
		}
	}
	return nil
}

// open reads one file, or reports why it cannot and returns nil.
func (l *loader) open(path string, ours bool, parse func([]byte) (node, error)) *document {
	doc, err := readDocument(path, ours, parse)
	if err != nil {
		l.fail("", path, err.Error())
		return nil
	}
	return doc
}

// searchPaths are the configuration files looked for when none is named.
func searchPaths(vars environ) []string {
	paths := []string{"mcpbridge.yaml"}
	home := vars["XDG_CONFIG_HOME"]
	if home == "" && vars["HOME"] != "" {
		home = filepath.Join(vars["HOME"], ".config")
	}
	if home != "" {
		paths = append(paths, filepath.Join(home, "mcpbridge", "config.yaml"))
	}
	return append(paths, "/etc/mcpbridge/config.yaml")
}

// finish fills in what depends on other settings and checks the whole.
func (l *loader) finish() (*Config, error) {
	if _, set := l.origins["shutdown.pre_stop"]; !set && !l.cfg.local() {
		l.cfg.Shutdown.PreStop = remotePreStop
	}
	read := l.problems
	for _, p := range l.cfg.problems() {
		if !read.about(p.Key) {
			l.fail(p.Key, l.origin(p.Key), p.Message)
		}
	}
	if err := l.problems.orNil(); err != nil {
		return nil, err
	}
	for _, p := range l.cfg.warnings() {
		l.warn(p.Key, l.origin(p.Key), p.Message)
	}
	l.cfg.inherit()
	return l.cfg, nil
}

// origin returns where key, or else the nearest key above it, was set.
func (l *loader) origin(key string) string {
	for key != "" {
		if source, ok := l.origins[key]; ok {
			return source
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	return ""
}

// inherit gives the servers the bridge's settings where they have none.
func (c *Config) inherit() {
	for name, s := range c.Servers {
		if s.Timeout == 0 {
			s.Timeout = c.Calls.DefaultTimeout
		}
		if s.IdleTimeout == 0 && s.Type == TypeStdio {
			s.IdleTimeout = c.Idle.Stdio
		}
		if s.IdleTimeout == 0 {
			s.IdleTimeout = c.Idle.HTTP
		}
		if s.MaxMessageBytes == 0 {
			s.MaxMessageBytes = c.Limits.MessageBytes
		}
		c.Servers[name] = s
	}
}
