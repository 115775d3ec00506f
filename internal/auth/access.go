package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Access says who may use a server, and which of its tools. The nil Access, like
// the empty one, lets everybody use everything. It may be used concurrently.
type Access struct {
	allow                 []who
	allowTools, denyTools []toolRule
}

// NewAccess reads rules. Of allow each item is a set of principals:
//
//	preshared:billing                        the principal of that id
//	oidc:https://issuer.example.com#*        ids of a pattern with "*" and "?"
//	claim:groups=finance                     whose token has that claim
//
// No items: everybody. Of allowTools and denyTools each item is a pattern of
// tool names, and may be for some principals only:
//
//	get_*
//	delete_* for claim:groups=admins
//
// No allowTools: all tools. A tool that both lists have is denied.
func NewAccess(allow, allowTools, denyTools []string) (*Access, error) {
	a := new(Access)
	var wrong []error
	for _, text := range allow {
		w, err := parseWho(text)
		wrong = append(wrong, err)
		a.allow = append(a.allow, w)
	}
	for _, list := range []struct {
		texts []string
		to    *[]toolRule
	}{{allowTools, &a.allowTools}, {denyTools, &a.denyTools}} {
		for _, text := range list.texts {
			rule, err := parseToolRule(text)
			wrong = append(wrong, err)
			*list.to = append(*list.to, rule)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return a, nil
}

// Allows reports whether p may use the server at all.
func (a *Access) Allows(p Principal) bool {
	return a == nil || len(a.allow) == 0 || slices.ContainsFunc(a.allow, func(w who) bool { return w.has(p) })
}

// RestrictsTools reports whether there is a tool that somebody may not use.
func (a *Access) RestrictsTools() bool {
	return a != nil && len(a.allowTools)+len(a.denyTools) > 0
}

// AllowsTool reports whether p may use the tool of that name.
func (a *Access) AllowsTool(p Principal, tool string) bool {
	if !a.RestrictsTools() {
		return true
	}
	applies := func(r toolRule) bool { return matches(r.pattern, tool) && (r.everybody || r.who.has(p)) }
	return (len(a.allowTools) == 0 || slices.ContainsFunc(a.allowTools, applies)) && !slices.ContainsFunc(a.denyTools, applies)
}

// who is a set of principals: by a pattern of ids, or by a claim.
type who struct {
	pattern      string
	claim, value string
}

func parseWho(text string) (who, error) {
	if claim, ok := strings.CutPrefix(text, "claim:"); ok {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || name == "" || value == "" {
			return who{}, fmt.Errorf(`%q is no claim; write "claim:groups=finance"`, text)
		}
		return who{claim: name, value: value}, nil
	}
	for _, method := range []string{methodPreshared, methodOIDC, methodCertificate} {
		if strings.HasPrefix(text, method) {
			return who{pattern: text}, nil
		}
	}
	return who{}, fmt.Errorf(`%q names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`, text)
}

func (w who) has(p Principal) bool {
	if w.claim != "" {
		return slices.Contains(p.Claims[w.claim], w.value)
	}
	return matches(w.pattern, p.ID)
}

// A toolRule speaks of the tools with names of a pattern.
type toolRule struct {
	pattern   string
	everybody bool
	who       who
}

func parseToolRule(text string) (toolRule, error) {
	pattern, of, some := strings.Cut(text, " for ")
	if pattern == "" {
		return toolRule{}, fmt.Errorf(`%q names no tool; write "get_*"`, text)
	}
	if !some {
		return toolRule{pattern: pattern, everybody: true}, nil
	}
	w, err := parseWho(of)
	return toolRule{pattern: pattern, who: w}, err
}
