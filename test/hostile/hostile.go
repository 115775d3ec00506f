// Package hostile is an MCP server that misbehaves on purpose, in one named way
// at a time, over stdio and Streamable HTTP. It is written by hand, without any
// SDK, because no SDK lets a server do what is done here.
//
// In everything that its mode does not touch it is an ordinary server with one
// tool, run{nonce}, which returns the nonce as text and as structured content.
// Each run leaves a line in an append-only journal before anything is answered,
// so that a test can join what was executed with what callers were told.
package hostile

import (
	"fmt"
	"slices"
)

// Era narrows the protocol versions that a server speaks.
type Era string

const (
	// Dual speaks 2026-07-28 and everything before.
	Dual Era = ""
	// Legacy knows nothing of server/discover and speaks up to 2025-11-25.
	Legacy Era = "legacy"
	// Modern speaks 2026-07-28 only.
	Modern Era = "modern"
)

// Options says which server to start. The zero value is an ordinary one.
type Options struct {
	// Mode is the name of one of Modes. Empty means "honest".
	Mode string
	// Era is the server's, unless its mode makes sense in one era only.
	Era Era
	// Journal is where executions are recorded. Empty: nowhere.
	Journal Journal
}

// Mode describes one way to misbehave.
type Mode struct {
	Name  string
	About string // completes "a server that …"
	Stdio bool   // whether it exists over stdio
	HTTP  bool   // whether it exists over Streamable HTTP
}

// Modes returns all modes, grouped by what they attack.
func Modes() []Mode {
	var modes []Mode
	for _, m := range table() {
		modes = append(modes, m.Mode)
	}
	return modes
}

// mode is a Mode with its behaviour. What is nil or zero is honest.
type mode struct {
	Mode
	stdioMode
	httpMode

	// era, if set, is the only era in which the mode makes sense.
	era Era
	// version, if set, is the only one the server speaks, whatever is asked of it.
	version string
	// handle answers one message. It returns when nothing more is to be sent.
	handle handler
	// bytewise writes every byte of an answer on its own.
	bytewise bool
}

// table returns every mode, the honest one first. It is built anew for each
// server, so that the functions of a mode may keep state.
func table() []mode {
	return slices.Concat(
		[]mode{{Mode: Mode{Name: "honest", About: "behaves", Stdio: true, HTTP: true}}},
		handshakeModes(),
		idModes(),
		shapeModes(),
		framingModes(),
		sizeModes(),
		listModes(),
		floodModes(),
		requestModes(),
		silenceModes(),
		processModes(),
		sessionModes(),
		streamModes(),
		statusModes(),
		networkModes(),
	)
}

func modeNamed(name string) (mode, error) {
	if name == "" {
		name = "honest"
	}
	for _, m := range table() {
		if m.Name == name {
			return m, nil
		}
	}
	return mode{}, fmt.Errorf("no mode is called %q", name)
}

// Where a mode exists, for the tables of the families.
func everywhere(name, about string) Mode {
	return Mode{Name: name, About: about, Stdio: true, HTTP: true}
}
func stdioOnly(name, about string) Mode { return Mode{Name: name, About: about, Stdio: true} }
func httpOnly(name, about string) Mode  { return Mode{Name: name, About: about, HTTP: true} }
