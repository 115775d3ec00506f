package config

import (
	"fmt"
	"maps"
	"slices"
)

// readServers reads the mcpServers files, lays the servers of mcpbridge's own
// file over theirs, and adds the enabled ones to the configuration.
func (l *loader) readServers(file *document) {
	entries := make(map[string]entry)
	for _, path := range l.cfg.MCPConfigFiles {
		for _, e := range l.readMCPFile(path) {
			if other, taken := entries[e.name]; taken {
				l.fail(serverKey(e.name, ""), e.source, fmt.Sprintf(
					"the server is defined in %s too; rename one of them", other.source))
				continue
			}
			entries[e.name] = e
		}
	}
	for _, e := range l.ownEntries(file) {
		if base, ok := entries[e.name]; ok {
			e = e.over(base)
		}
		entries[e.name] = e
	}
	l.cfg.Servers = make(map[string]Server)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if server, ok := l.build(entries[name]); ok {
			l.cfg.Servers[name] = server
		}
	}
}

// readMCPFile returns the servers of a file that another product wrote. All
// else in the file is that product's business.
func (l *loader) readMCPFile(path string) []entry {
	doc := l.open(path, false, parseJSONC)
	if doc == nil {
		return nil
	}
	return l.mcpEntries(doc)
}

func (l *loader) mcpEntries(doc *document) []entry {
	entries, found := l.serverSections(doc)
	if !found {
		l.fail("", doc.path, `has neither "mcpServers" nor "servers" at its top; is it an mcpServers file?`)
	}
	return entries
}

// ownEntries returns the servers of mcpbridge's own file.
func (l *loader) ownEntries(file *document) []entry {
	if file == nil {
		return nil
	}
	entries, _ := l.serverSections(file)
	return entries
}

// serverSections returns the servers under both of the keys that products use,
// and whether there is either.
func (l *loader) serverSections(doc *document) (entries []entry, found bool) {
	sections := make(map[string]entry)
	for _, f := range doc.root.fields {
		if !isServers(f.key) {
			continue
		}
		found = true
		for _, e := range l.readEntries(doc, f.key, f.value) {
			if other, taken := sections[e.name]; taken {
				l.fail(serverKey(e.name, ""), e.source, fmt.Sprintf("the server is defined at %s already; keep one", other.source))
				continue
			}
			sections[e.name] = e
			entries = append(entries, e)
		}
	}
	return entries, found
}
