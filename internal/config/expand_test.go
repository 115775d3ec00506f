package config

import (
	"strings"
	"testing"
)

func newExpander(t *testing.T) expander {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "secret", "s-3\r\n\n")
	writeFile(t, dir, "folder/inner", "two\nlines\n")
	return expander{
		vars: environ{"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "HOME": "/home/op"},
		doc:  &document{path: dir + "/m.json", base: dir},
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	x := newExpander(t)
	for text, want := range map[string]string{
		"":                                  "",
		"plain":                             "plain",
		"$NAME":                             "$NAME",
		"$":                                 "$",
		"a${NAME}b${NAME}":                  "avaluebvalue",
		"${NAME:-other}":                    "value",
		"${NONE:-other}":                    "other",
		"${NONE:-}":                         "",
		"${NONE:-a:-b}":                     "a:-b",
		"${EMPTY}":                          "",
		"${EMPTY:-other}":                   "other",
		"${env:NAME}":                       "value",
		"${env:NONE:-other}":                "other",
		"${NESTED}":                         "${NAME}",
		"${file:secret}":                    "s-3",
		"${file:folder/inner}":              "two\nlines",
		"${file:" + x.doc.base + "/secret}": "s-3",
		"${userHome}":                       "/home/op",
		"${workspaceFolder}":                x.doc.base,
		"${pathSeparator}${/}":              "//",
		"$${NAME}":                          "${NAME}",
		"a$${b":                             "a${b",
		"$$${NAME}":                         "$${NAME}",
		"${NAME}$${NAME}":                   "value${NAME}",
		"}{":                                "}{",
	} {
		got, complaints := x.expand(text)
		if got != want || len(complaints) > 0 {
			t.Errorf("expand(%q) = %q, %q, want %q", text, got, complaints, want)
		}
	}
}

func TestExpandComplaints(t *testing.T) {
	t.Parallel()
	x := newExpander(t)
	for text, want := range map[string][]string{
		"${NONE}":                {"the variable NONE is not set"},
		"${NONE}${OTHER}":        {"the variable NONE is not set", "the variable OTHER is not set"},
		"${NONE} and ${":         {"the variable NONE is not set", `without a "}"`},
		"${env:NONE}":            {"the variable NONE is not set"},
		"${input:token}":         {"${input:token} asks a person"},
		"${file:none}":           {"the file none cannot be read: no such file"},
		"${file:}":               {"has a ${...} that is none of"},
		"${command:x}":           {"has a ${...} that is none of"},
		"${}":                    {"has a ${...} that is none of"},
		"${1}":                   {"has a ${...} that is none of"},
		"${A-B}":                 {"has a ${...} that is none of"},
		"${NAME:-${NAME}}":       {"the default of ${NAME} is a reference itself"},
		"${" + canary + " pass}": {"has a ${...} that is none of"},
		canary + "${":            {`without a "}"`},
	} {
		_, complaints := x.expand(text)
		if len(complaints) != len(want) {
			t.Errorf("expand(%q) complains %q, want %q", text, complaints, want)
			continue
		}
		for i := range want {
			if !strings.Contains(complaints[i], want[i]) || strings.Contains(complaints[i], canary) {
				t.Errorf("expand(%q) complains %q, want %q", text, complaints[i], want[i])
			}
		}
	}
}

func TestExpandFileBound(t *testing.T) {
	t.Parallel()
	x := newExpander(t)
	_, complaints := x.expand("${file:/dev/zero}")
	if len(complaints) != 1 || !strings.Contains(complaints[0], "has more than 16MiB") {
		t.Errorf("expand complains %q", complaints)
	}
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/a/b/mcp.json":         "/a/b",
		"/a/b/.vscode/mcp.json": "/a/b",
		"/a/b/.cursor/mcp.json": "/a/b",
		"/a/b/.other/mcp.json":  "/a/b/.other",
	} {
		if got, err := workspace(path); got != want || err != nil {
			t.Errorf("workspace(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestParseEnvFile(t *testing.T) {
	t.Parallel()
	vars, complaints := parseEnvFile("# comment\n\nA=1\r\n export B = two words # comment\nC='#3'\n" +
		`D="a\n\"b\" \$x \\ \q" # comment` + "\nE=\nF=a#b\nG=x=y\nA=last")
	want := map[string]string{
		"A": "last", "B": "two words", "C": "#3", "D": "a\n\"b\" $x \\ \\q", "E": "", "F": "a#b", "G": "x=y",
	}
	for name, value := range want {
		if vars[name] != value {
			t.Errorf("%s = %q, want %q", name, vars[name], value)
		}
	}
	if len(vars) != len(want) || len(complaints) > 0 {
		t.Errorf("parseEnvFile() = %q, %q", vars, complaints)
	}
}

func TestParseEnvFileComplaints(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"no value": canary, "no name": "=" + canary, "open quote": "A='" + canary, "open double quote": `A="` + canary + `\"`,
		"text behind": "A='" + canary + "' b", "text behind double": `A="` + canary + `" b`,
	} {
		vars, complaints := parseEnvFile("B=1\n" + line)
		if len(complaints) != 1 || !strings.HasPrefix(complaints[0], "line 2 is not NAME=value") || vars["B"] != "1" || len(vars) != 1 {
			t.Errorf("%s: parseEnvFile() = %q, %q", name, vars, complaints)
		}
	}
}
