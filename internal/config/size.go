package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	kib int64 = 1 << 10
	mib int64 = 1 << 20
	gib int64 = 1 << 30
)

// size is a number of bytes, written plain or with a binary unit: "16MiB".
func size(dst *int64, least int64) value {
	return single[int64]{dst, parseSize, formatSize, atLeast(least, formatSize)}
}

func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "BKMGi")
	unit, ok := sizeUnit(text[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n > math.MaxInt64/unit {
		return 0, fmt.Errorf(`%q is not a size; write bytes, or KiB, MiB or GiB as in "16MiB"`, text)
	}
	return n * unit, nil
}

func sizeUnit(suffix string) (bytes int64, ok bool) {
	switch suffix {
	case "", "B":
		return 1, true
	case "KiB":
		return kib, true
	case "MiB":
		return mib, true
	case "GiB":
		return gib, true
	}
	return 1, false
}

func formatSize(n int64) string {
	switch {
	case n != 0 && n%gib == 0:
		return strconv.FormatInt(n/gib, 10) + "GiB"
	case n != 0 && n%mib == 0:
		return strconv.FormatInt(n/mib, 10) + "MiB"
	case n != 0 && n%kib == 0:
		return strconv.FormatInt(n/kib, 10) + "KiB"
	}
	return strconv.FormatInt(n, 10)
}
