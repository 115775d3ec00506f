package rawjson

import "testing"

func TestSafeInteger(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "42": 42, "-7": -7, "42.0": 42, "4.2e1": 42, "4.20E+1": 42, "4200e-2": 42, "1e3": 1000, "0e999999999999999999999": 0,
		"9007199254740991": 1<<53 - 1, "-9007199254740991": -(1<<53 - 1), "9007199254740991.000": 1<<53 - 1, "0.0001e4": 1,
	} {
		if got, ok := SafeInteger([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "-", `"1"`, "true", "null", "{}", "1.5", "1e-1", "9007199254740992", "-9007199254740993", "1e16", "1e999999999999999999999", "1e-999999999999999999999", "0.1",
	} {
		if got, ok := SafeInteger([]byte(text)); ok {
			t.Errorf("%s: %d, want none", text, got)
		}
	}
}
