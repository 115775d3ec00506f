package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// many is a value written as a list of texts; a single text is a list of one.
type many[T any] struct {
	dst    *[]T
	parse  func(string) (T, error)
	format func(T) string
}

func (v many[T]) assign(n node) error {
	texts, err := n.texts()
	if err != nil {
		return err
	}
	parsed := make([]T, 0, len(texts))
	var wrong []error
	for _, text := range texts {
		item, err := v.parse(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%q %w", text, err))
			continue
		}
		parsed = append(parsed, item)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	*v.dst = parsed
	return nil
}

func (v many[T]) check() error {
	var wrong []error
	for _, item := range *v.dst {
		if _, err := v.parse(v.format(item)); err != nil {
			wrong = append(wrong, fmt.Errorf("%q %w", v.format(item), err))
		}
	}
	return errors.Join(wrong...)
}

func (v many[T]) String() string {
	texts := make([]string, 0, len(*v.dst))
	for _, item := range *v.dst {
		texts = append(texts, v.format(item))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// texts reads n as a list of texts.
func (n node) texts() ([]string, error) {
	if n.kind == scalar {
		return []string{n.text}, nil
	}
	if n.kind != list {
		return nil, fmt.Errorf("is a %v; write a list", n.kind)
	}
	texts := make([]string, 0, len(n.items))
	for i, item := range n.items {
		if item.kind != scalar {
			return nil, fmt.Errorf("item %d of the list is a %v; write one value", i+1, item.kind)
		}
		texts = append(texts, item.text)
	}
	return texts, nil
}

// names is a list of texts that are not empty.
func names(dst *[]string) value {
	return texts(dst, func(text string) error {
		if text == "" {
			return errors.New("is an empty item; leave it out")
		}
		return nil
	})
}

// hosts is a list of values a Host header may have.
func hosts(dst *[]string) value {
	return texts(dst, func(text string) error {
		u, err := url.Parse("//" + text)
		if err != nil || u.Host != text || u.Hostname() == "" || strings.Contains(text, "*") {
			return errors.New(`is not a host; write a name or an address, with or without a port, as in "bridge.example.com"`)
		}
		return nil
	})
}

// origins is a list of values an Origin header may have.
func origins(dst *[]string) value {
	return texts(dst, func(text string) error {
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || text != u.Scheme+"://"+u.Host || strings.Contains(text, "*") {
			return errors.New(`is not an origin; write scheme and host and nothing behind, as in "https://app.example.com"`)
		}
		return nil
	})
}

// choices is a list of some of the choices.
func choices(dst *[]string, all ...string) value {
	return texts(dst, func(text string) error {
		if !slices.Contains(all, text) {
			return errors.New("is none of " + strings.Join(all, ", "))
		}
		return nil
	})
}

// secrets is a list of texts that are not printed.
type secrets struct{ dst *[]Secret }

func (v secrets) assign(n node) error {
	texts, err := n.texts()
	if err != nil {
		return err
	}
	parsed := make([]Secret, 0, len(texts))
	for _, text := range texts {
		parsed = append(parsed, NewSecret(strings.TrimSpace(text)))
	}
	*v.dst = parsed
	return nil
}

func (v secrets) check() error {
	for i, secret := range *v.dst {
		if secret.Reveal() == "" {
			return fmt.Errorf("item %d is empty; leave it out", i+1)
		}
	}
	return nil
}

func (v secrets) String() string {
	return "[" + strings.Join(slices.Repeat([]string{redacted}, len(*v.dst)), ", ") + "]"
}

func texts(dst *[]string, rule func(string) error) value {
	parse := func(text string) (string, error) { return text, rule(text) }
	return many[string]{dst, parse, asIs}
}

func patterns(dst *[]URLPattern) value {
	return many[URLPattern]{dst, ParseURLPattern, URLPattern.String}
}

// commands is a list of argument lists.
type commands struct{ dst *[][]string }

func (v commands) assign(n node) error {
	const fix = "write a list of argument lists, as in [[npx, -y, some-server]]"
	if n.kind != list {
		return fmt.Errorf("is a %v; %s", n.kind, fix)
	}
	parsed := make([][]string, 0, len(n.items))
	for i, item := range n.items {
		argv, err := item.texts()
		if item.kind != list || err != nil {
			return fmt.Errorf("item %d is not a list of arguments; %s", i+1, fix)
		}
		parsed = append(parsed, argv)
	}
	*v.dst = parsed
	return nil
}

func (v commands) check() error {
	for i, argv := range *v.dst {
		if len(argv) == 0 || argv[0] == "" {
			return fmt.Errorf("item %d has no command; write it first in the list", i+1)
		}
	}
	return nil
}

func (v commands) String() string {
	texts := make([]string, 0, len(*v.dst))
	for _, argv := range *v.dst {
		texts = append(texts, many[string]{dst: &argv, format: asIs}.String())
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
