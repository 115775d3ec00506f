package config

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEverySettingHasAKey finds fields that were added to Config or Server and
// to no table of settings: an operator could not set them.
func TestEverySettingHasAKey(t *testing.T) {
	t.Parallel()
	cfg := Default()
	elsewhere := []string{"Servers", "Groups", "Warnings"}
	changeEach(t, reflect.ValueOf(cfg).Elem(), "", elsewhere, func() string { return written(settings(cfg)) })

	server := DefaultServer()
	elsewhere = []string{"Type", "Command", "Args", "Env", "Cwd", "URL", "Headers", "ForwardHeaders"}
	changeEach(t, reflect.ValueOf(&server).Elem(), "", elsewhere, func() string { return written(serverSettings(&server)) })

	group := Group{}
	elsewhere = []string{"Members"}
	changeEach(t, reflect.ValueOf(&group).Elem(), "", elsewhere, func() string { return written(groupSettings(&group)) })
}

func written(all []setting) string {
	var out strings.Builder
	for _, s := range all {
		out.WriteString(s.key + "=" + s.value.String() + "\n")
	}
	return out.String()
}

// changeEach changes one field after the other and wants show to show it.
func changeEach(t *testing.T, v reflect.Value, path string, skip []string, show func() string) {
	t.Helper()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		field := v.Field(i)
		if slices.Contains(skip, name) {
			continue
		}
		if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[Secret]() {
			changeEach(t, field, path+name+".", nil, show)
			continue
		}
		before, old := show(), reflect.ValueOf(field.Interface())
		change(t, field)
		if show() == before {
			t.Errorf("%s%s has no setting", path, name)
		}
		field.Set(old)
	}
}

func change(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field.Kind() {
	case reflect.Struct:
		field.Set(reflect.ValueOf(NewSecret("x")))
	case reflect.Bool:
		field.SetBool(!field.Bool())
	case reflect.Int, reflect.Int64:
		field.SetInt(field.Int() + 1)
	case reflect.Float64:
		field.SetFloat(field.Float() + 1)
	case reflect.String:
		field.SetString(field.String() + "x")
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 2, 2))
	default:
		t.Fatalf("no way to change a %s", field.Kind())
	}
}

func TestSettingNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, s := range settings(Default()) {
		for _, name := range []string{s.key, s.env(), "--" + s.flagName()} {
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s both are %s", other, s.key, name)
			}
			seen[name] = s.key
		}
		if !strings.HasSuffix(s.help, ".") {
			t.Errorf("the help of %s is no sentence: %q", s.key, s.help)
		}
	}
}

// TestDefaultsReadBack writes each default as an operator would and reads it.
func TestDefaultsReadBack(t *testing.T) {
	t.Parallel()
	for _, s := range settings(Default()) {
		want := s.value.String()
		if s.sep != "" || s.fileOnly {
			continue
		}
		if err := s.value.assign(textNode(want)); err != nil {
			t.Errorf("%s: %v", s.key, err)
		}
		if got := s.value.String(); got != want {
			t.Errorf("%s: %q read back is %q", s.key, want, got)
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "16MiB": 16 << 20, "2GiB": 2 << 30, "-1": -1,
		"9223372036854775807": math.MaxInt64,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "4K", "4MB", "4Mi", "4 MiB", "4.5MiB", "1e3", "0x10", "9223372036854775808", "8589934592GiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 500 * time.Millisecond: "500ms", 90 * time.Second: "1m30s",
		15 * time.Minute: "15m", time.Hour: "1h", 61 * time.Minute: "1h1m", time.Hour + time.Second: "1h0m1s",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	candidates := []string{"grpc.addr", "http.addr", "log.level"}
	for name, want := range map[string]string{
		"grcp.addr": "grpc.addr", "grpc_addr": "grpc.addr", "LOG.LEVEL": "log.level", "log.levle": "log.level",
		"completely.different": "", "": "",
	} {
		got := didYouMean(name, candidates)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("didYouMean(%q) = %q, want %q", name, got, want)
		}
	}
}
