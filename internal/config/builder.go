package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// builder turns one entry into a Server: expands its texts, reads the files it
// names, finds out its type.
type builder struct {
	*loader
	entry  entry
	server Server
}

// build returns the server that e describes, and false when it is disabled. What
// could not be read is reported, and the server is good for Validate only.
func (l *loader) build(e entry) (Server, bool) {
	b := &builder{loader: l, entry: e, server: DefaultServer()}
	l.origins[serverKey(e.name, "")] = e.source
	for name, v := range e.fields {
		l.origins[serverKey(e.name, name)] = v.source()
	}
	if b.disabled() {
		return Server{}, false
	}
	b.readCommand()
	b.server.URL = NewSecret(b.text("url"))
	b.readType()
	if !b.remote() {
		b.readProcess()
	}
	if b.server.Type != TypeStdio {
		b.server.Headers = b.secrets("headers.")
		b.readForwards()
	}
	b.warnUnused()
	b.readSettings()
	return b.server, true
}

// remote reports whether the server is known to be reached by its URL.
func (b *builder) remote() bool { return b.server.Type != TypeStdio && b.server.Type != "" }

// field returns the field called name, unless it is absent or null.
func (b *builder) field(name string) (located, bool) {
	v, ok := b.entry.fields[name]
	return v, ok && v.kind != null
}

func (b *builder) key(name string) string { return serverKey(b.entry.name, name) }

func (b *builder) disabled() bool {
	off := false
	if v, ok := b.field("disabled"); ok {
		b.assign(b.key("disabled"), setting{value: boolean(&off)}, v.node, v.source())
	}
	return off
}

// readForwards reads which of the caller's metadata go to the server.
func (b *builder) readForwards() {
	for name, value := range b.secrets("forward_headers.") {
		if b.server.ForwardHeaders == nil {
			b.server.ForwardHeaders = make(map[string]string)
		}
		b.server.ForwardHeaders[strings.ToLower(name)] = value.Reveal()
	}
}

// readCommand reads the command, which may be a list with the first arguments.
func (b *builder) readCommand() {
	v, ok := b.field("command")
	if !ok || v.kind != list {
		b.server.Command = b.text("command")
		return
	}
	if argv := b.texts("command"); len(argv) > 0 {
		b.server.Command, b.server.Args = argv[0], argv[1:]
	}
}

// readProcess reads what the command runs with.
func (b *builder) readProcess() {
	b.server.Args = append(b.server.Args, b.texts("args")...)
	if v, ok := b.field("cwd"); ok {
		b.server.Cwd = v.doc.resolve(b.text("cwd"))
	}
	b.server.Env = b.readEnvFile()
	if env := b.secrets("env."); b.server.Env == nil {
		b.server.Env = env
	} else {
		maps.Copy(b.server.Env, env)
	}
}

// readEnvFile returns the variables in the file that env_file names, nil when
// there is none or it was reported.
func (b *builder) readEnvFile() map[string]Secret {
	v, ok := b.field("env_file")
	reported := len(b.problems)
	path := b.text("env_file")
	if !ok || path == "" || len(b.problems) > reported {
		return nil
	}
	data, err := readBounded(v.doc.resolve(path))
	if err != nil {
		b.fail(b.key("env_file"), v.source(), fmt.Sprintf("%s %v", v.text, err))
		return nil
	}
	vars, complaints := parseEnvFile(string(data))
	for _, complaint := range complaints {
		b.fail(b.key("env_file"), v.source(), v.text+" "+complaint)
	}
	env := make(map[string]Secret, len(vars))
	for name, value := range vars {
		env[name] = NewSecret(value)
	}
	return env
}

// readType takes the type that is written, or else the one that fits what is
// there. What fits nothing is left for Validate to report.
func (b *builder) readType() {
	v, written := b.field("type")
	if written && v.kind != scalar {
		b.fail(b.key("type"), v.source(), fmt.Sprintf("is a %v; write one value", v.kind))
	}
	command, url := b.server.Command != "", b.server.URL.Reveal()
	switch {
	case v.text != "":
		b.server.Type = serverType(v.text)
	case command && url == "":
		b.server.Type = TypeStdio
	case !command && isWebSocketURL(url):
		b.server.Type = TypeWebSocket
	case !command && url != "":
		b.server.Type = TypeHTTP
	}
}

// serverType returns the type that a spelling means, and the spelling itself when
// it means none. Letter case and punctuation are where the products differ.
func serverType(spelling string) ServerType {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(spelling)) {
	case "stdio", "local":
		return TypeStdio
	case "http", "streamablehttp":
		return TypeHTTP
	case "sse":
		return TypeSSE
	case "ws", "websocket":
		return TypeWebSocket
	}
	return ServerType(spelling)
}

func isWebSocketURL(url string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(url), "://")
	return scheme == "ws" || scheme == "wss"
}

// warnUnused warns of fields that servers of this type have no use for. They
// are common in files that grew by copying.
func (b *builder) warnUnused() {
	var unused []string
	switch {
	case b.server.Type == TypeStdio:
		unused = []string{"headers", "forward_headers", "oauth"}
	case b.remote():
		unused = []string{"args", "cwd", "env", "env_file"}
	}
	for _, name := range slices.Sorted(maps.Keys(b.entry.fields)) {
		top, _, _ := strings.Cut(name, ".")
		if v, ok := b.field(name); ok && slices.Contains(unused, top) && !v.empty() {
			b.warn(b.key(name), v.source(), fmt.Sprintf("is ignored: a server of type %s has no use for it", b.server.Type))
		}
	}
}

// readSettings reads what is ours: timeouts, sharing and the like.
func (b *builder) readSettings() {
	for _, s := range serverSettings(&b.server) {
		if v, ok := b.field(s.key); ok {
			if strings.HasPrefix(s.key, "oauth.") && v.kind == scalar {
				v.text = b.expand(s.key, v)
			}
			b.assign(b.key(s.key), s, v.node, v.source())
		}
	}
}

// text returns the expanded text of a field, "" when there is none.
func (b *builder) text(name string) string {
	v, ok := b.field(name)
	if !ok {
		return ""
	}
	return b.expand(name, v)
}

// texts returns the expanded texts of a field that is a list.
func (b *builder) texts(name string) []string {
	v, ok := b.field(name)
	if !ok {
		return nil
	}
	if v.kind != list {
		b.fail(b.key(name), v.source(), fmt.Sprintf("is a %v; write a list", v.kind))
		return nil
	}
	all := make([]string, 0, len(v.items))
	for _, item := range v.items {
		all = append(all, b.expand(name, located{item, v.doc}))
	}
	return all
}

// secrets returns the expanded members of the env or headers mapping by their
// names, nil when there are none.
func (b *builder) secrets(prefix string) map[string]Secret {
	var all map[string]Secret
	for _, name := range slices.Sorted(maps.Keys(b.entry.fields)) {
		short, ok := strings.CutPrefix(name, prefix)
		v, present := b.field(name)
		if !ok || !present {
			continue
		}
		if all == nil {
			all = make(map[string]Secret)
		}
		all[short] = NewSecret(b.expand(name, v))
	}
	return all
}

// expand returns the text of one value, its references replaced. When they
// cannot be, that is reported and the text comes back as it was written.
func (b *builder) expand(name string, v located) string {
	if v.kind != scalar {
		b.fail(b.key(name), v.source(), fmt.Sprintf("is a %v; write one value", v.kind))
		return ""
	}
	if variable, ok := bareVariable(v.text); ok {
		b.warn(b.key(name), v.source(), fmt.Sprintf("is taken as it is; write ${%s} for the value of the variable", variable))
	}
	text, complaints := expander{b.vars, v.doc}.expand(v.text)
	for _, complaint := range complaints {
		b.fail(b.key(name), v.source(), complaint)
	}
	if len(complaints) > 0 {
		return v.text
	}
	return text
}
