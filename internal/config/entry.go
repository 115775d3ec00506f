package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// entry is one server as the files write it: not yet expanded, because a
// variable that is missing matters only once the server is known to be enabled.
type entry struct {
	name   string
	source string // where it begins

	// fields by their one name, however the file spells it; what is in mappings as
	// "env.NAME", "headers.NAME" and so on.
	fields map[string]located
}

// located is a value and the document that it is in.
type located struct {
	node
	doc *document
}

// source names the place of the value.
func (v located) source() string { return v.doc.at(v.line) }

// over returns e with what is missing in it taken from base.
func (e entry) over(base entry) entry {
	merged := maps.Clone(base.fields)
	maps.Copy(merged, e.fields)
	return entry{name: e.name, source: e.source, fields: merged}
}

// connectionFields are the fields that say how a server is reached.
func connectionFields() []string {
	return []string{"type", "command", "args", "env", "env_file", "cwd", "url", "headers", "disabled"}
}

// canonicalField returns the one name of a field that products spell in several
// ways.
func canonicalField(name string) string {
	switch name {
	case "transport":
		return "type"
	case "serverUrl", "httpUrl":
		return "url"
	case "envFile":
		return "env_file"
	case "enabled":
		return "disabled"
	}
	return name
}

// readEntries returns the servers in the mapping n, which key names in full.
func (l *loader) readEntries(doc *document, key string, n node) []entry {
	var entries []entry
	for _, f := range l.fieldsOf(doc, key, n) {
		if f.key == "" {
			l.fail(key, doc.at(f.line), "a server has an empty name; give it one")
			continue
		}
		e := entry{name: f.key, source: doc.at(f.line), fields: make(map[string]located)}
		l.readEntry(doc, e, f.value)
		entries = append(entries, e)
	}
	return entries
}

// readEntry fills e from its mapping n.
func (l *loader) readEntry(doc *document, e entry, n node) {
	for _, f := range l.fieldsOf(doc, serverKey(e.name, ""), n) {
		name := canonicalField(f.key)
		key, value := serverKey(e.name, f.key), located{f.value, doc}
		value.line = f.line
		_, twice := e.fields[name]
		switch {
		case twice:
			l.fail(key, value.source(), "says again what another spelling of it says; keep one")
		case !l.accepts(doc, e.name, f):
		case name == "env" || name == "headers" || name == "forward_headers" || name == "oauth":
			l.readMap(e, name, value)
		case f.key == "enabled":
			value.text = negated(value.text)
			e.fields[name] = value
		default:
			e.fields[name] = value
		}
	}
}

// readMap adds the members of a mapping, such as env, to e.
func (l *loader) readMap(e entry, name string, value located) {
	for _, f := range l.fieldsOf(value.doc, serverKey(e.name, name), value.node) {
		member := located{f.value, value.doc}
		member.line = f.line
		if name == "oauth" && !slices.Contains(ownFields(), name+"."+f.key) {
			l.fail(serverKey(e.name, name+"."+f.key), member.source(), "is no setting of a server"+didYouMean(name+"."+f.key, ownFields()))
			continue
		}
		e.fields[name+"."+f.key] = member
	}
}

func negated(text string) string {
	switch strings.ToLower(text) {
	case "true":
		return "false"
	case "false":
		return "true"
	}
	return text
}

// accepts reports whether f is a field that a server may have in doc, and says
// so when it is not. Our own file has no unknown fields. Other products' files
// do, and there our settings would be unknown to those products.
func (l *loader) accepts(doc *document, server string, f field) bool {
	connection, own := connectionFields(), ownFields()
	key, source := serverKey(server, f.key), doc.at(f.line)
	known := slices.Contains(connection, canonicalField(f.key))
	switch {
	case known, doc.ours && slices.Contains(own, f.key):
		return true
	case doc.ours:
		l.fail(key, source, "is no setting of a server"+didYouMean(f.key, append(connection, own...)))
	case slices.Contains(own, f.key):
		l.warn(key, source, fmt.Sprintf("is ignored: in an mcpServers file other products give it other meanings; "+
			"set %s in mcpbridge's own file", serverKey(server, f.key)))
	default:
		l.warn(key, source, "is ignored: mcpbridge has no use for it"+didYouMean(f.key, connection))
	}
	return false
}

func ownFields() []string {
	names := []string{"forward_headers", "oauth"}
	for _, s := range serverSettings(&Server{}) {
		names = append(names, s.key)
	}
	return names
}
