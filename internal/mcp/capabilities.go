package mcp

import "encoding/json"

// Capabilities are the kinds of questions that a client answers for a server:
// its sampling, elicitation and roots capabilities. A server may ask for
// nothing else. The zero value declares none. It is comparable, so that it can
// say which calls may share a session.
type Capabilities struct {
	// Sampling lets a language model continue a conversation; SamplingTools with
	// tools, SamplingContext with context of other servers. Either implies it.
	Sampling, SamplingTools, SamplingContext bool
	// ElicitationForm asks a person to fill in a form, ElicitationURL to open a
	// URL.
	ElicitationForm, ElicitationURL bool
	// Roots lists the roots.
	Roots bool
}

// Narrow returns what both c and other declare.
func (c Capabilities) Narrow(other Capabilities) Capabilities {
	return Capabilities{
		Sampling:        c.sampling() && other.sampling(),
		SamplingTools:   c.SamplingTools && other.SamplingTools,
		SamplingContext: c.SamplingContext && other.SamplingContext,
		ElicitationForm: c.ElicitationForm && other.ElicitationForm,
		ElicitationURL:  c.ElicitationURL && other.ElicitationURL,
		Roots:           c.Roots && other.Roots,
	}
}

func (c Capabilities) sampling() bool {
	return c.Sampling || c.SamplingTools || c.SamplingContext
}

// MarshalJSON writes c as the capabilities of initialize and of the reserved
// member of _meta: the revisions from 2025-11-25 on read all of it, the older
// ones take an elicitation object of any content for the form mode.
func (c Capabilities) MarshalJSON() ([]byte, error) {
	type object map[string]any
	out := object{}
	if c.sampling() {
		sampling := object{}
		if c.SamplingTools {
			sampling["tools"] = object{}
		}
		if c.SamplingContext {
			sampling["context"] = object{}
		}
		out["sampling"] = sampling
	}
	if c.ElicitationForm || c.ElicitationURL {
		elicitation := object{}
		if c.ElicitationForm {
			elicitation["form"] = object{}
		}
		if c.ElicitationURL {
			elicitation["url"] = object{}
		}
		out["elicitation"] = elicitation
	}
	if c.Roots {
		out["roots"] = object{"listChanged": true}
	}
	return json.Marshal(out)
}
