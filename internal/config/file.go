package config

import (
	"fmt"
	"strconv"
	"strings"
)

// readFile assigns the settings of mcpbridge's own file. Its servers and groups
// wait for readServers and readGroups.
func (l *loader) readFile(doc *document) {
	if doc != nil {
		l.readSection(doc, "", doc.root)
	}
}

// readSection assigns the settings whose keys begin with section.
func (l *loader) readSection(doc *document, section string, n node) {
	for _, f := range l.fieldsOf(doc, section, n) {
		key := joinKey(section, f.key)
		s, known := l.setting(key)
		switch {
		case isServers(key) || key == groupsKey:
		case strings.Contains(f.key, "."):
			l.fail(strconv.Quote(key), doc.at(f.line), "has a dot; keys are nested, write the part behind the dot on a line of its own")
		case known && f.value.kind != null:
			l.assign(key, s, l.resolvePaths(doc, s, f.value), doc.at(f.line))
		case !known && l.isSection(key):
			l.readSection(doc, key, f.value)
		case !known:
			l.fail(key, doc.at(f.line), "is no setting"+didYouMean(key, l.candidates(section)))
		}
	}
}

// isServers reports whether a top-level key holds servers: both spellings are
// used by the products whose files are accepted.
func isServers(key string) bool { return key == "servers" || key == "mcpServers" }

func joinKey(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func (l *loader) setting(key string) (setting, bool) {
	for _, s := range l.settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

func (l *loader) isSection(key string) bool {
	for _, s := range l.settings {
		if strings.HasPrefix(s.key, key+".") {
			return true
		}
	}
	return false
}

// candidates returns what a key in section may be meant to be: a setting, or at
// the top a section.
func (l *loader) candidates(section string) []string {
	all := make([]string, 0, len(l.settings))
	if section == "" {
		all = append(all, "servers", "mcpServers", groupsKey)
	}
	for _, s := range l.settings {
		top, _, nested := strings.Cut(s.key, ".")
		if section == "" && nested {
			all = append(all, top)
		}
		all = append(all, s.key)
	}
	return all
}

// resolvePaths makes relative paths hang on the folder of the file that has
// them, not on the folder the bridge was started in.
func (l *loader) resolvePaths(doc *document, s setting, n node) node {
	if !s.paths {
		return n
	}
	n.text = doc.resolve(n.text)
	items := make([]node, 0, len(n.items))
	for _, item := range n.items {
		item.text = doc.resolve(item.text)
		items = append(items, item)
	}
	n.items = items
	return n
}

// fieldsOf returns the fields of the mapping n, and reports what is written
// twice. A null has no fields; anything else is reported as no mapping.
func (l *loader) fieldsOf(doc *document, key string, n node) []field {
	if n.kind != mapping {
		if n.kind != null {
			l.fail(key, doc.at(n.line), fmt.Sprintf("is a %v; write a mapping of names to values", n.kind))
		}
		return nil
	}
	first := make(map[string]int, len(n.fields))
	unique := make([]field, 0, len(n.fields))
	for _, f := range n.fields {
		if line, seen := first[f.key]; seen {
			l.fail(joinKey(key, f.key), doc.at(f.line), fmt.Sprintf("is written on line %d already; keep one", line))
			continue
		}
		first[f.key] = f.line
		unique = append(unique, f)
	}
	return unique
}
