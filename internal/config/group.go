package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Group is several servers behind one name.
type Group struct {
	Members    []GroupMember
	Template   string // of the names in the group; "" means "{server}__{name}"
	Mode       string // GroupAlways and so on
	ModelSafe  bool   // names that every API of language models takes
	FailClosed bool   // a list is whole, or fails
}

// GroupMember is a server of a group.
type GroupMember struct {
	Name   string // in the group
	Server string
}

// The values of [Group].Mode.
const (
	GroupAlways     = "always"
	GroupNever      = "never"
	GroupOnConflict = "on_conflict"
)

const groupsKey = "groups"

func groupKey(name, field string) string {
	key := joinKey(groupsKey, name)
	if !isGroupWord(name) || strings.Contains(name, ".") {
		key = groupsKey + "[" + strconv.Quote(name) + "]"
	}
	if field == "" {
		return key
	}
	return joinKey(key, field)
}

func groupSettings(g *Group) []setting {
	return []setting{
		{key: "template", value: text(&g.Template),
			help: "Name of a tool, prompt or resource, with {name} for its own and {server} for the member's. Empty means `{server}__{name}`."},
		{key: "mode", value: choice(&g.Mode, GroupAlways, GroupNever, GroupOnConflict),
			help: "What is named by the template: everything (always), nothing (never), or what two members have (on_conflict)."},
		{key: "model_safe", value: boolean(&g.ModelSafe),
			help: "Make names that every API of language models takes: at most 64 letters, digits, \"_\" and \"-\"."},
		{key: "fail_closed", value: boolean(&g.FailClosed),
			help: "Fail a list that a member is missing from, rather than leave it out and say so."},
	}
}

// readGroups reads the groups of mcpbridge's own file.
func (l *loader) readGroups(doc *document) {
	if doc == nil {
		return
	}
	for _, f := range doc.root.fields {
		if f.key != groupsKey {
			continue
		}
		for _, g := range l.fieldsOf(doc, groupsKey, f.value) {
			l.origins[groupKey(g.key, "")] = doc.at(g.line)
			if read := l.readGroup(doc, g); g.value.kind == mapping {
				if l.cfg.Groups == nil {
					l.cfg.Groups = make(map[string]Group)
				}
				l.cfg.Groups[g.key] = read
			}
		}
	}
}

func (l *loader) readGroup(doc *document, f field) Group {
	g := Group{Mode: GroupAlways}
	all := groupSettings(&g)
	for _, m := range l.fieldsOf(doc, groupKey(f.key, ""), f.value) {
		key := groupKey(f.key, m.key)
		i := slices.IndexFunc(all, func(s setting) bool { return s.key == m.key })
		switch {
		case m.key == "members":
			l.origins[key] = doc.at(m.line)
			g.Members = l.readMembers(doc, key, m)
		case i < 0:
			l.fail(key, doc.at(m.line), "is no setting of a group"+didYouMean(m.key, []string{"members", "template", "mode", "model_safe", "fail_closed"}))
		case m.value.kind != null:
			l.assign(key, all[i], m.value, doc.at(m.line))
		}
	}
	return g
}

// readMembers reads a list of servers, or a mapping of names in the group to
// servers.
func (l *loader) readMembers(doc *document, key string, f field) (members []GroupMember) {
	if f.value.kind == mapping {
		for _, m := range l.fieldsOf(doc, key, f.value) {
			if m.value.kind != scalar {
				l.fail(joinKey(key, m.key), doc.at(m.line), fmt.Sprintf("is a %v; write the name of a server", m.value.kind))
				continue
			}
			members = append(members, GroupMember{Name: m.key, Server: m.value.text})
		}
		return members
	}
	servers, err := f.value.texts()
	if err != nil {
		l.fail(key, doc.at(f.line), err.Error())
	}
	for _, server := range servers {
		members = append(members, GroupMember{Name: server, Server: server})
	}
	return members
}

// maxGroupMembers bounds the members of a group.
const maxGroupMembers = 64

func (c *Config) checkGroups() (found Problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[name]
		fail := func(field, message string) {
			found = append(found, Problem{Key: groupKey(name, field), Message: message})
		}
		if !isGroupWord(name) {
			fail("", "is no name of a group; write "+groupWords)
		}
		if len(g.Members) == 0 || len(g.Members) > maxGroupMembers {
			fail("members", fmt.Sprintf("has %d servers; write 1 to %d", len(g.Members), maxGroupMembers))
		}
		for i, m := range g.Members {
			for _, message := range c.checkMember(m, g.Members[:i]) {
				fail("members", message)
			}
		}
		found = append(found, checkAll(groupKey(name, "")+".", groupSettings(&g))...)
	}
	return found
}

// checkMember says what is wrong with a member that comes after others.
func (c *Config) checkMember(m GroupMember, before []GroupMember) (wrong []string) {
	if !isGroupWord(m.Name) {
		wrong = append(wrong, fmt.Sprintf("%q is no name of a member; write a mapping of names, of %s, to servers", m.Name, groupWords))
	}
	if slices.ContainsFunc(before, func(other GroupMember) bool { return other.Name == m.Name }) {
		wrong = append(wrong, fmt.Sprintf("%q is there twice; keep one", m.Name))
	}
	switch server, ok := c.Servers[m.Server]; {
	case !ok:
		wrong = append(wrong, fmt.Sprintf("%q is no server%s", m.Server, didYouMean(m.Server, slices.Sorted(maps.Keys(c.Servers)))))
	case server.Stateful:
		wrong = append(wrong, fmt.Sprintf(
			"%q keeps state, so that callers have to connect; leave it out, and let them put their sessions into groups", m.Server))
	}
	return wrong
}

const groupWords = `letters, digits, "_", "-" and ".", at most 64`

// isGroupWord reports whether a text can name a group or a member of one.
func isGroupWord(text string) bool {
	for _, r := range text {
		if !strings.ContainsRune("_-.", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return text != "" && len(text) <= 64
}
