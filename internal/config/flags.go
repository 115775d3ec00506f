package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// commandLine is what the flags said.
type commandLine struct {
	config      string
	configGiven bool
	values      map[string][]string // by flag name; the last one counts, or all of a list
}

// parseFlags reads args. The error is flag.ErrHelp, after help went to output, or
// Problems.
func parseFlags(args []string, output io.Writer) (commandLine, error) {
	line := commandLine{values: make(map[string][]string)}
	all := settings(Default())
	flags := line.flagSet(all)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		if err := writeHelp(output, all); err != nil {
			return line, fmt.Errorf("write the help text: %w", err)
		}
		return line, flag.ErrHelp
	}
	if err != nil {
		return line, flagProblem(err, all)
	}
	if flags.NArg() > 0 {
		return line, Problems{{Source: flags.Arg(0), Message: "is no flag; see -h for what can be given"}}
	}
	return line, nil
}

// flagSet collects values only: their settings judge them later, beside all
// other sources.
func (c *commandLine) flagSet(all []setting) *flag.FlagSet {
	flags := flag.NewFlagSet("mcpbridge", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("config", "", func(text string) error {
		c.config, c.configGiven = text, true
		return nil
	})
	for _, s := range all {
		name := s.flagName()
		collect := func(text string) error {
			c.values[name] = append(c.values[name], text)
			return nil
		}
		switch {
		case !s.flag:
		case isBoolean(s):
			flags.BoolFunc(name, "", collect)
		default:
			flags.Func(name, "", collect)
		}
	}
	return flags
}

// isBoolean reports whether the flag of s may stand alone.
func isBoolean(s setting) bool {
	_, ok := s.value.(single[bool])
	return ok
}

// flagProblem retells an error of the flag package, which stops at the first.
func flagProblem(err error, all []setting) Problems {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return Problems{{Source: "command line", Message: err.Error()}}
	}
	candidates := []string{"--config"}
	for _, s := range all {
		if s.flag {
			candidates = append(candidates, "--"+s.flagName())
		}
	}
	name = "--" + strings.TrimPrefix(name, "-")
	return Problems{{Source: name, Message: "is no flag; see -h for all flags" + didYouMean(name, candidates)}}
}

// readFlags assigns what the command line gave.
func (l *loader) readFlags(line commandLine) {
	for _, s := range l.settings {
		texts := line.values[s.flagName()]
		if !s.flag || len(texts) == 0 {
			continue
		}
		n := textNode(texts[len(texts)-1])
		if s.sep != "" {
			n = listNode(texts)
		}
		l.assign(s.key, s, n, "--"+s.flagName())
	}
}
