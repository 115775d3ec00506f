package mcp

import "testing"

// Sessions to which a legacy server says the same share what it said.
func TestAgreementShared(t *testing.T) {
	t.Parallel()
	said := func(version, result string) (era, Info) {
		return legacy{revision: version}, Info{Era: EraLegacy, ProtocolVersion: version, Result: []byte(result)}
	}
	b := &base{knowledge: new(knowledge)}
	first, same, other, again, current := &Session{base: b}, &Session{base: b}, &Session{base: b}, &Session{base: b}, &Session{base: b}
	if e, i := first.era(), first.Info(); e.version() != "" || i.Era != EraUnknown {
		t.Errorf("before the handshake: %v, %+v", e, i)
	}
	first.settle(said(Version20250618, `{"a":1}`))
	same.settle(said(Version20250618, `{"a":1}`))
	if first.Info() != same.Info() {
		t.Error("what the server said is there twice")
	}
	other.settle(said(Version20251125, `{"a":2}`))
	if i := other.Info(); i.ProtocolVersion != Version20251125 || other.era().version() != Version20251125 {
		t.Errorf("another agreement: %+v", i)
	}
	for _, s := range []*Session{again, current} {
		s.settle(newModern(Version20260728, Implementation{}, Capabilities{}, false), Info{Era: EraModern, Result: []byte(`{}`)})
	}
	if again.Info() == current.Info() || again.era().kind() != EraModern {
		t.Error("sessions with a modern server share an agreement")
	}
}
