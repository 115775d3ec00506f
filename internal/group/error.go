package group

import (
	"fmt"
	"strings"
)

// A NotFoundError says that there is no such group, or that it is somebody
// else's.
type NotFoundError struct{ Group string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no group %.128q", e.Group) }

// A MemberNotFoundError says that a group has no such member.
type MemberNotFoundError struct{ Member string }

func (e *MemberNotFoundError) Error() string {
	return fmt.Sprintf("the group has no member %.128q", e.Member)
}

// An ItemNotFoundError says that no member of a group has such an item.
type ItemNotFoundError struct {
	Kind Kind
	Name string
	// Missing are the members that could not be asked.
	Missing []string
}

func (e *ItemNotFoundError) Error() string {
	text := fmt.Sprintf("no member of the group has the %s %.128q", e.Kind, e.Name)
	if len(e.Missing) > 0 {
		text += "; not reached: " + some(e.Missing)
	}
	return text
}

// An ExistsError says that a group, or a member of one, has the name already.
type ExistsError struct {
	// Kind is "group" or "member".
	Kind string
	Name string
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("there is a %s %.128q already", e.Kind, e.Name)
}

// A CollisionError says that items would have the same names.
type CollisionError struct {
	// Names say what of whom, in no more than a few words each.
	Names []string
}

func (e *CollisionError) Error() string { return "names are taken in the group: " + some(e.Names) }

// A ConfiguredError says that a group is not for callers to change.
type ConfiguredError struct{ Group string }

func (e *ConfiguredError) Error() string {
	return fmt.Sprintf("group %.128q is part of the bridge's configuration", e.Group)
}

// A QuotaError says which limit was reached.
type QuotaError struct {
	// Limit is the key of the configuration.
	Limit string
	Max   int
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("the limit %s of %d is reached", e.Limit, e.Max)
}

// A MemberError is the failure of a member.
type MemberError struct {
	Member Member
	Err    error
}

func (e *MemberError) Error() string { return fmt.Sprintf("member %q: %v", e.Member.Name, e.Err) }
func (e *MemberError) Unwrap() error { return e.Err }

// some joins words, as many as fit an error message.
func some(words []string) string {
	const most = 8
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

// A GoneError says that what a member's target names does not exist, at least not
// for the caller. In a group of the configuration such a member is not there.
type GoneError struct{ Err error }

func (e *GoneError) Error() string { return e.Err.Error() }
func (e *GoneError) Unwrap() error { return e.Err }

// A LimitError says that the lists of the members are too large together.
type LimitError struct{ Items, Bytes int }

func (e *LimitError) Error() string {
	return fmt.Sprintf("the lists of the group have more than %d items or %d bytes", e.Items, e.Bytes)
}
