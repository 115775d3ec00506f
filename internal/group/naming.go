package group

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// A Mode says which items get a name by the template.
type Mode uint8

const (
	// Always: all of them.
	Always Mode = iota
	// Never: none, so that each has the name that it has at its member.
	Never
	// OnConflict: those whose name two members have.
	OnConflict
)

// A Naming makes names for the items of a group. The zero Naming puts the
// member's name and two underscores in front.
type Naming struct {
	// Template is the name of an item, with {name} for its own and {server} for
	// its member's. Empty: [DefaultTemplate].
	Template string
	Mode     Mode
	// ModelSafe makes names that every API of language models takes.
	ModelSafe bool
}

// DefaultTemplate is the template of a group that has none.
const DefaultTemplate = "{server}__{name}"

const (
	placeServer, placeName = "{server}", "{name}"
	maxTemplateBytes       = 128
)

// Check returns an error if names cannot be made by n.
func (n Naming) Check() error {
	bare := strings.Replace(strings.Replace(n.template(), placeName, "", 1), placeServer, "", 1)
	switch {
	case len(n.Template) > maxTemplateBytes:
		return errors.New("has more than 128 bytes")
	case !strings.Contains(n.template(), placeName):
		return errors.New("has no {name}")
	case strings.ContainsAny(bare, "{}"):
		return errors.New("has braces other than one {name} and one {server}")
	}
	return nil
}

func (n Naming) template() string {
	if n.Template == "" {
		return DefaultTemplate
	}
	return n.Template
}

// plain is the name of an item that keeps its own.
func (n Naming) plain(own string) string { return n.safe(own) }

// templated is the name of a member's item by the template.
func (n Naming) templated(member, own string) string {
	return n.safe(strings.NewReplacer(placeServer, member, placeName, own).Replace(n.template()))
}

// own is the reverse of templated, where there is one: what a member's item must
// be called for the template to give it that name.
func (n Naming) own(member, name string) (own string, ok bool) {
	before, after, _ := strings.Cut(n.template(), placeName)
	own, ok = strings.CutPrefix(name, strings.Replace(before, placeServer, member, 1))
	if !ok {
		return "", false
	}
	own, ok = strings.CutSuffix(own, strings.Replace(after, placeServer, member, 1))
	return own, ok && own != "" && n.templated(member, own) == name
}

// The names that the APIs of language models take, and how many characters of
// the hash of others stand at their end.
const (
	maxSafe   = 64
	hashChars = 8
)

// safe returns the name, or what stands for it where models are given it.
func (n Naming) safe(name string) string {
	if !n.ModelSafe || name == "" {
		return name
	}
	clean := strings.Map(func(r rune) rune {
		if isWord(r) || r == '-' {
			return r
		}
		return '_'
	}, name)
	if clean == name && len(name) <= maxSafe {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return clean[:min(len(clean), maxSafe-hashChars-1)] + "_" + hex.EncodeToString(sum[:])[:hashChars]
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

// An owner is what a name of a group stands for: that name at that member.
type owner struct {
	member *member
	own    string
}

// A claim is a name that an item is to get.
type claim struct {
	owner
	name string
}

// assign makes names for items that have none yet, in their order; taken are
// those that have been given away. The claims that come to nothing, since
// another one has the name, are the refused.
func (n Naming) assign(taken map[string]owner, items []owner) (given, refused []claim) {
	claims := make([]claim, len(items))
	for i, it := range items {
		claims[i] = claim{owner: it, name: n.plain(it.own)}
	}
	switch n.Mode {
	case Always:
		for i := range claims {
			claims[i].name = n.templated(claims[i].member.Name, claims[i].own)
		}
	case OnConflict:
		n.evade(taken, claims)
	case Never:
	}
	now := make(map[string]bool, len(claims))
	for _, c := range claims {
		if _, other := taken[c.name]; other || now[c.name] {
			refused = append(refused, c)
			continue
		}
		now[c.name] = true
		given = append(given, c)
	}
	return given, refused
}

// evade gives names by the template to all who claim the same name, or one that
// is taken. What it gives may be claimed by others in turn, who evade as well.
func (n Naming) evade(taken map[string]owner, claims []claim) {
	evaded := make([]bool, len(claims))
	for changed := true; changed; {
		changed = false
		count := make(map[string]int, len(claims))
		for _, c := range claims {
			count[c.name]++
		}
		for i, c := range claims {
			if _, other := taken[c.name]; !evaded[i] && (other || count[c.name] > 1) {
				claims[i].name = n.templated(c.member.Name, c.own)
				evaded[i], changed = true, true
			}
		}
	}
}
