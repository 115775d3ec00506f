package config

import (
	"reflect"
	"testing"
)

const groupServers = "servers:\n  files: {command: files}\n  state: {command: state, stateful: true}\n  web: {url: https://web.example.com/mcp}\n"

func TestLoadGroups(t *testing.T) {
	t.Parallel()
	path := writeFile(t, t.TempDir(), "c.yaml", groupServers+`groups:
  plain: {members: [files, web]}
  named:
    members: {fs: files, www: web}
    template: "{name}-{server}"
    mode: on_conflict
    model_safe: true
    fail_closed: true
`)
	want := map[string]Group{
		"plain": {Members: []GroupMember{{"files", "files"}, {"web", "web"}}, Mode: GroupAlways},
		"named": {
			Members: []GroupMember{{"fs", "files"}, {"www", "web"}}, Template: "{name}-{server}", Mode: GroupOnConflict,
			ModelSafe: true, FailClosed: true,
		},
	}
	if got := load(t, []string{"--config", path}, nil).Groups; !reflect.DeepEqual(got, want) {
		t.Errorf("groups are %+v, want %+v", got, want)
	}
}

func TestLoadProblemsOfGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := writeFile(t, dir, "c.yaml", groupServers+`groups:
  "a/b": {members: [files]}
  empty: {members: []}
  many: {members: [files, fils, files], mode: sometimes}
  odd: {members: {z: [web]}, member: [files]}
  flat: [files]
  spaced: {members: {"x y": files}}
  kept: {members: [state]}
`)
	wantLines(t, loadProblems(t, []string{"--config", path}, nil, dir), []string{
		`c.yaml:6: groups["a/b"]: is no name of a group; write letters, digits, "_", "-" and ".", at most 64`,
		`c.yaml:7: groups.empty.members: has 0 servers; write 1 to 64`,
		`c.yaml:8: groups.many.members: "files" is there twice; keep one`,
		`c.yaml:8: groups.many.members: "fils" is no server; did you mean "files"?`,
		`c.yaml:8: groups.many.mode: "sometimes" is none of always, never, on_conflict`,
		`c.yaml:9: groups.odd.member: is no setting of a group; did you mean "members"?`,
		`c.yaml:9: groups.odd.members.z: is a list; write the name of a server`,
		`c.yaml:10: groups.flat: is a list; write a mapping of names to values`,
		`c.yaml:11: groups.spaced.members: "x y" is no name of a member; write a mapping of names, of letters, digits, "_", "-" and ".", at most 64, to servers`,
		`c.yaml:12: groups.kept.members: "state" keeps state, so that callers have to connect; leave it out, and let them put their sessions into groups`,
	})
}
