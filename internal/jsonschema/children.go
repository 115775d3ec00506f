package jsonschema

import "strconv"

// evaluated is what the keywords so far have looked at of one array or object,
// which the unevaluated keywords leave alone.
type evaluated struct {
	// members are an object's, some those of an array's items that lie beyond
	// the first.
	members map[string]bool
	some    map[int]bool
	first   int
}

func (e *evaluated) member(name string) {
	if e == nil {
		return
	}
	if e.members == nil {
		e.members = make(map[string]bool)
	}
	e.members[name] = true
}

func (e *evaluated) item(i int) {
	if e == nil {
		return
	}
	if e.some == nil {
		e.some = make(map[int]bool)
	}
	e.some[i] = true
}

func (e *evaluated) upTo(n int) {
	if e != nil {
		e.first = max(e.first, n)
	}
}

// merge takes in f, which is not used any more, in as many steps as it returns.
func (e *evaluated) merge(f *evaluated) (steps int) {
	e.upTo(f.first)
	if e.members == nil && e.some == nil {
		e.members, e.some = f.members, f.some
		return 0
	}
	for name := range f.members {
		e.member(name)
	}
	for i := range f.some {
		e.item(i)
	}
	return len(f.members) + len(f.some)
}

func (r *run) array(n *arrayRules, items []*value, seen *evaluated) *Error {
	switch {
	case n.minItems != nil && len(items) < *n.minItems:
		return wrong("must have at least %d items", *n.minItems)
	case n.maxItems != nil && len(items) > *n.maxItems:
		return wrong("must have at most %d items", *n.maxItems)
	}
	rest := n.items
	if n.listed {
		rest = n.additionalItems
	}
	for i, item := range items {
		schema := rest
		if i < len(n.prefix) {
			schema = n.prefix[i]
		}
		if schema == nil {
			break
		}
		if err := r.check(schema, item, nil); err != nil {
			return under(strconv.Itoa(i), err)
		}
		seen.upTo(i + 1)
	}
	if n.contains != nil {
		if err := r.contains(n, items, seen); err != nil {
			return err
		}
	}
	if n.unique {
		return r.unique(items)
	}
	return nil
}

func (r *run) contains(n *arrayRules, items []*value, seen *evaluated) *Error {
	least, count := 1, 0
	if n.minContains != nil {
		least = *n.minContains
	}
	for i, item := range items {
		if r.check(n.contains, item, nil) == nil {
			count++
			seen.item(i)
		}
	}
	switch {
	case count < least:
		return wrong("must have at least %d items that match the schema of contains, has %d", least, count)
	case n.maxContains != nil && count > *n.maxContains:
		return wrong("must have at most %d items that match the schema of contains, has %d", *n.maxContains, count)
	}
	return nil
}

func (r *run) unique(items []*value) *Error {
	texts := make(map[string]int, len(items))
	for i, item := range items {
		text := string(item.append(nil))
		if !r.spend(1 + len(text)/16) {
			return nil
		}
		if first, again := texts[text]; again {
			return wrong("must have no equal items, %d and %d are", first, i)
		}
		texts[text] = i
	}
	return nil
}

func (r *run) object(n *objectRules, v *value, seen *evaluated) *Error {
	switch {
	case n.minProperties != nil && len(v.names) < *n.minProperties:
		return wrong("must have at least %d members", *n.minProperties)
	case n.maxProperties != nil && len(v.names) > *n.maxProperties:
		return wrong("must have at most %d members", *n.maxProperties)
	case !r.spend(len(n.required) + len(n.dependentRequired)):
		return nil
	}
	if err := requires(v, n.required); err != nil {
		return err
	}
	for name, names := range n.dependentRequired {
		if v.members[name] != nil && r.spend(len(names)) {
			if err := requires(v, names); err != nil {
				return err
			}
		}
	}
	if err := r.members(n, v, seen); err != nil {
		return err
	}
	for name, schema := range n.dependentSchemas {
		if v.members[name] != nil {
			if err := r.inPlace(schema, v, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func requires(v *value, names []string) *Error {
	for _, name := range names {
		if v.members[name] == nil {
			return under(name, wrong("is required"))
		}
	}
	return nil
}

// members checks the members of an object one by one, if there is a keyword that
// speaks of them.
func (r *run) members(n *objectRules, v *value, seen *evaluated) *Error {
	if n.propertyNames == nil && n.properties == nil && n.patterns == nil && n.additional == nil || !r.spend(len(v.names)) {
		return nil
	}
	for _, name := range v.names {
		if err := r.member(n, name, v.members[name], seen); err != nil {
			return under(name, err)
		}
	}
	return nil
}

// member checks one member of an object.
func (r *run) member(n *objectRules, name string, v *value, seen *evaluated) *Error {
	if n.propertyNames != nil {
		if err := r.check(n.propertyNames, &value{kind: kindString, text: name}, nil); err != nil {
			return wrong("the name %s", err.Problem)
		}
	}
	known := false
	if schema := n.properties[name]; schema != nil {
		known = true
		if err := r.check(schema, v, nil); err != nil {
			return err
		}
	}
	for _, p := range n.patterns {
		if !r.match(p.pattern, name) {
			continue
		}
		known = true
		if err := r.check(p.node, v, nil); err != nil {
			return err
		}
	}
	if !known && n.additional != nil && !n.unknowable {
		known = true
		if err := r.check(n.additional, v, nil); err != nil {
			return err
		}
	}
	if known {
		seen.member(name)
	}
	return nil
}

// unevaluated checks what nothing else has evaluated.
func (r *run) unevaluated(n *node, v *value, seen *evaluated) *Error {
	if n.unevaluatedProperties != nil && v.kind == kindObject && r.spend(len(v.names)/4) {
		for _, name := range v.names {
			if seen.members[name] {
				continue
			}
			if err := r.check(n.unevaluatedProperties, v.members[name], nil); err != nil {
				return under(name, err)
			}
			seen.member(name)
		}
	}
	if n.unevaluatedItems != nil && v.kind == kindArray && r.spend((len(v.items)-seen.first)/4) {
		for i := seen.first; i < len(v.items); i++ {
			if seen.some[i] {
				continue
			}
			if err := r.check(n.unevaluatedItems, v.items[i], nil); err != nil {
				return under(strconv.Itoa(i), err)
			}
		}
		seen.upTo(len(v.items))
	}
	return nil
}
