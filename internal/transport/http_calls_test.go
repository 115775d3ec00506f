package transport

import (
	"slices"
	"testing"
)

func TestHTTPCalls(t *testing.T) {
	t.Parallel()
	var p httpCalls
	calls := make([]*httpCall, 4)
	for i := range calls {
		calls[i] = &httpCall{id: int64(i)} // 0 is the id of the GET stream
	}
	check := func(want ...int64) {
		t.Helper()
		var got []int64
		for c := range p.all() {
			got = append(got, c.id)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || p.len() != len(want) {
			t.Errorf("holds %v, %d of them, want %v", got, p.len(), want)
		}
		for _, c := range calls {
			if has := p.get(c.id) == c; has != slices.Contains(want, c.id) {
				t.Errorf("has %d: %v, want %v", c.id, has, want)
			}
		}
	}
	check()
	for i, c := range calls {
		p.add(c)
		check([]int64{0, 1, 2, 3}[:i+1]...)
	}
	p.remove(calls[0])
	check(1, 2, 3)
	p.remove(calls[2])
	check(1, 3)
	p.add(calls[0])
	p.add(calls[2])
	check(0, 1, 2, 3)
	for _, c := range calls {
		p.remove(c)
	}
	check()
}
