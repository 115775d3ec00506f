package config

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Validate reports everything that is wrong with c as [Problems], and nil when
// nothing is.
func (c *Config) Validate() error { return c.problems().orNil() }

func (c *Config) problems() Problems {
	found := checkAll("", settings(c))
	found = append(found, c.checkReach()...)
	found = append(found, c.checkAuth()...)
	found = append(found, c.checkClash()...)
	found = append(found, c.checkOrder()...)
	found = append(found, c.checkOAuth()...)
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		found = append(found, c.checkServer(name)...)
	}
	found = append(found, c.checkGroups()...)
	return found
}

// checkAll applies the rule of each setting by itself.
func checkAll(prefix string, all []setting) Problems {
	var found Problems
	for _, s := range all {
		for _, reason := range reasons(s.value.check()) {
			found = append(found, Problem{Key: prefix + s.key, Message: reason})
		}
	}
	return found
}

// reasons takes apart what errors.Join put together.
func reasons(err error) []string {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, part := range joined.Unwrap() {
		all = append(all, part.Error())
	}
	return all
}

type listener struct {
	key  string
	addr Addr
}

func (c *Config) listeners() []listener {
	return []listener{{"grpc.addr", c.GRPC.Addr}, {"http.addr", c.HTTP.Addr}, {"admin.addr", c.Admin.Addr}}
}

// local reports whether other machines can reach no listener.
func (c *Config) local() bool {
	return !slices.ContainsFunc(c.listeners(), func(l listener) bool { return !l.addr.Local() })
}

// checkReach refuses to serve strangers by accident: a caller can have anything
// done that the configured servers do, with the operator's credentials. The admin
// listener asks nobody, but for profiles it shows only numbers.
func (c *Config) checkReach() Problems {
	if c.InsecureNoAuth {
		return nil
	}
	var found Problems
	if c.Auth.Enabled() {
		if c.Admin.PProf && !c.Admin.Addr.Local() {
			found = append(found, Problem{Key: "admin.pprof", Message: fmt.Sprintf(
				"%q can be reached from other machines, and profiles are for the operator alone; listen on 127.0.0.1", c.Admin.Addr)})
		}
		return found
	}
	for _, l := range c.listeners() {
		if !l.addr.Local() && addrRule(l.addr, true)(l.addr) == nil {
			found = append(found, Problem{Key: l.key, Message: fmt.Sprintf(
				"%q can be reached from other machines, and callers are not authenticated; "+
					"listen on 127.0.0.1, set auth.methods, or set insecure_no_auth to let anybody use every server", l.addr)})
		}
	}
	return found
}

// checkClash finds listeners on one address. Port 0 is a different port each time.
func (c *Config) checkClash() Problems {
	var found Problems
	all := c.listeners()
	for i, l := range all {
		for _, other := range all[:i] {
			if l.addr == other.addr && l.addr != "" && !l.addr.ephemeral() {
				found = append(found, Problem{Key: l.key,
					Message: fmt.Sprintf("%q is the address of %s too; give it another port", l.addr, other.key)})
			}
		}
	}
	return found
}

// checkOrder compares settings that bound each other.
func (c *Config) checkOrder() Problems {
	var found Problems
	durations := func(key string, small time.Duration, than string, large time.Duration) {
		if small > large {
			found = append(found, tooMuch(key, formatDuration(small), than, formatDuration(large)))
		}
	}
	sizes := func(key string, small int64, than string, large int64) {
		if small > large {
			found = append(found, tooMuch(key, formatSize(small), than, formatSize(large)))
		}
	}
	durations("calls.default_timeout", c.Calls.DefaultTimeout, "calls.max_timeout", c.Calls.MaxTimeout)
	durations("connect.probe_timeout", c.Connect.ProbeTimeout, "connect.timeout", c.Connect.Timeout)
	durations("connect.backoff.base", c.Connect.Backoff.Base, "connect.backoff.max", c.Connect.Backoff.Max)
	sizes("limits.message_bytes", c.Limits.MessageBytes, "limits.call_bytes", c.Limits.CallBytes)
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		s := c.Servers[name]
		durations(serverKey(name, "timeout"), s.Timeout, "calls.max_timeout", c.Calls.MaxTimeout)
		sizes(serverKey(name, "max_message_bytes"), s.MaxMessageBytes, "limits.message_bytes", c.Limits.MessageBytes)
	}
	return found
}

func tooMuch(key, small, than, large string) Problem {
	return Problem{Key: key, Message: fmt.Sprintf(
		"%s is more than %s, %s; lower the one or raise the other", small, than, large)}
}
