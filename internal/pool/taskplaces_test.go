package pool

import (
	"strconv"
	"testing"
)

func TestTaskPlacesAreBounded(t *testing.T) {
	t.Parallel()
	var places taskPlaces
	for i := range maxTaskPlaces + 1 {
		places.note(strconv.Itoa(i), 1)
		places.note(strconv.Itoa(i), int64(i))
	}
	oldest, next := places.of(OnTask(t.Context(), "0")), places.of(OnTask(t.Context(), "1"))
	if oldest != 0 || next != 1 || len(places.generations) != maxTaskPlaces || len(places.order) != maxTaskPlaces {
		t.Errorf("%d are kept, the oldest in %d and %d", len(places.generations), oldest, next)
	}
	if got := places.of(OnGeneration(OnTask(t.Context(), "1"), 7)); got != 7 {
		t.Errorf("a generation that is named became %d", got)
	}
}
