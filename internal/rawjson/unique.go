package rawjson

import "fmt"

// CheckUnique reports the first object key that stands twice in the same
// object, anywhere in v. Readers disagree on which of the two counts, so text
// that is judged in one place and acted on in another must not have them.
func CheckUnique(v []byte) error {
	switch {
	case len(v) == 0:
		return nil
	case v[0] == '[':
		return Array(v, CheckUnique)
	case v[0] != '{':
		return nil
	}
	var keys keySet
	return Object(v, func(key, value []byte) error {
		if !keys.add(key) {
			return fmt.Errorf("duplicate key %q", key)
		}
		return CheckUnique(value)
	})
}

// A keySet compares a few keys one by one and many by a map.
type keySet struct {
	few  [][]byte
	many map[string]struct{}
}

func (s *keySet) add(key []byte) bool {
	if s.many != nil {
		if _, dup := s.many[string(key)]; dup {
			return false
		}
		s.many[string(key)] = struct{}{}
		return true
	}
	for _, k := range s.few {
		if string(k) == string(key) {
			return false
		}
	}
	s.few = append(s.few, key)
	if len(s.few) > 16 {
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, k := range s.few {
			s.many[string(k)] = struct{}{}
		}
	}
	return true
}
