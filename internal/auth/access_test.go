package auth

import (
	"regexp"
	"strings"
	"testing"
)

func TestAccess(t *testing.T) {
	t.Parallel()
	finance := Principal{ID: "oidc:https://a.example.com#ann", Claims: map[string][]string{"groups": {"eu", "finance"}}}
	billing := Principal{ID: "preshared:billing"}
	for name, test := range map[string]struct {
		allow, allowTools, denyTools []string
		who                          Principal
		server                       bool
		may, mayNot                  string // tools, with spaces in between
	}{
		"no rules":          {nil, nil, nil, Principal{}, true, "get delete", ""},
		"by id":             {[]string{"preshared:billing"}, nil, nil, billing, true, "get", ""},
		"by other id":       {[]string{"preshared:billin", "preshared:billings"}, nil, nil, billing, false, "", ""},
		"by issuer":         {[]string{"oidc:https://a.example.com#*"}, nil, nil, finance, true, "", ""},
		"by other issuer":   {[]string{"oidc:https://b.example.com#*"}, nil, nil, finance, false, "", ""},
		"by claim":          {[]string{"claim:groups=finance"}, nil, nil, finance, true, "", ""},
		"by other claim":    {[]string{"claim:groups=fin*", "claim:team=finance"}, nil, nil, finance, false, "", ""},
		"claim of nobody":   {[]string{"claim:groups=finance"}, nil, nil, billing, false, "", ""},
		"nobody":            {[]string{"preshared:*", "oidc:*", "mtls:*"}, nil, nil, Principal{}, false, "", ""},
		"allowed tools":     {nil, []string{"get_*", "ping"}, nil, billing, true, "get_a get_ ping", "delete ping2 xget_a"},
		"denied tools":      {nil, nil, []string{"delete_*"}, billing, true, "get delete", "delete_a"},
		"denied wins":       {nil, []string{"*"}, []string{"get_secret"}, billing, true, "get_a", "get_secret"},
		"tools for some":    {nil, []string{"get_*", "delete_* for claim:groups=finance"}, nil, finance, true, "get_a delete_a", "put"},
		"tools for others":  {nil, []string{"get_*", "delete_* for claim:groups=finance"}, nil, billing, true, "get_a", "delete_a put"},
		"denied to some":    {nil, nil, []string{"* for preshared:billing"}, billing, true, "", "get_a"},
		"denied to others":  {nil, nil, []string{"* for preshared:billing"}, finance, true, "get_a", ""},
		"names with spaces": {nil, []string{"list all"}, nil, billing, true, "", "list all list%20all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := NewAccess(test.allow, test.allowTools, test.denyTools)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Allows(test.who); got != test.server {
				t.Errorf("Allows() = %v", got)
			}
			for tool := range strings.FieldsSeq(test.may) {
				if !a.AllowsTool(test.who, tool) {
					t.Errorf("%s is not allowed", tool)
				}
			}
			for tool := range strings.FieldsSeq(test.mayNot) {
				if a.AllowsTool(test.who, tool) {
					t.Errorf("%s is allowed", tool)
				}
			}
		})
	}
}

func TestNilAccessAllows(t *testing.T) {
	t.Parallel()
	var a *Access
	if !a.Allows(Principal{}) || !a.AllowsTool(Principal{}, "x") || a.RestrictsTools() {
		t.Error("nil is a rule")
	}
}

func TestNewAccessRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "billing", "*", "claim:", "claim:groups", "claim:=x", "claim:groups="} {
		if _, err := NewAccess([]string{text}, nil, nil); err == nil {
			t.Errorf("allow %q is taken", text)
		}
		if _, err := NewAccess(nil, []string{"x for " + text}, nil); err == nil {
			t.Errorf("a tool for %q is taken", text)
		}
	}
	if _, err := NewAccess(nil, nil, []string{" for preshared:a"}); err == nil {
		t.Error("a rule without a tool is taken")
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("*", "")
	f.Add("a*b?c", "axxbxc")
	f.Add("**a*", "ba")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsFunc(pattern+text, func(r rune) bool { return r >= 0x80 }) {
			t.Skip("the regular expression counts in runes")
		}
		quoted := strings.NewReplacer(`\*`, `(?s:.*)`, `\?`, `(?s:.)`).Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile(`\A` + quoted + `\z`).MatchString(text)
		if got := matches(pattern, text); got != want {
			t.Errorf("matches(%q, %q) = %v", pattern, text, got)
		}
	})
}
