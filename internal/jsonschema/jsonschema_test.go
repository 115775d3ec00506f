package jsonschema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func compile(t testing.TB, schema string, o Options) *Schema {
	t.Helper()
	s, err := Compile([]byte(schema), o)
	if err != nil {
		t.Fatalf("compile %.100s: %v", schema, err)
	}
	return s
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ schema, value, want string }{
		"type":           {`{"type":["string","null"]}`, `1`, "must be null or string, is integer"},
		"nested":         {`{"properties":{"a":{"items":{"maximum":9.5}}}}`, `{"a":[1,10]}`, "/a/1: must be at most 9.5"},
		"required":       {`{"required":["a/b"]}`, `{}`, "/a~1b: is required"},
		"additional":     {`{"additionalProperties":false}`, `{"x":1}`, "/x: must not be there"},
		"enum":           {`{"enum":["a","b"]}`, `"secret"`, `must be one of ["a","b"]`},
		"titled options": {`{"oneOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}`, `"c"`, `must be one of ["a","b"]`},
		"format":         {`{"format":"email"}`, `"nobody"`, "must be of the format email"},
		"pattern":        {`{"pattern":"^a+$"}`, `"b"`, "must match the pattern ^a+$"},
		"exact integers": {`{"maximum":9007199254740992}`, `9007199254740993`, "must be at most 9007199254740992"},
		"exact const":    {`{"const":9007199254740993}`, `9007199254740992`, "must be 9007199254740993"},
		"large exponent": {`{"maximum":1}`, `1e99999999999999999999`, "must be at most 1"},
		"small exponent": {`{"multipleOf":0.1}`, `1e-999999999`, "must be a multiple of 0.1"},
		"draft 4":        {`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`, `0`, "must be at least 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := compile(t, tt.schema, Options{Formats: true}).Validate([]byte(tt.value))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for schema, value := range map[string]string{
		`{"type":"integer"}`:                                                 `1.0`,
		`{"type":"integer","minimum":1e2}`:                                   `100`,
		`{"const":{"a":1,"b":[2]}}`:                                          `{"b":[2.0],"a":1e0}`,
		`{"pattern":"(?=x)lookahead"}`:                                       `"RE2 does not know it"`,
		`{"patternProperties":{"(?=x)x":true},"additionalProperties":false}`: `{"x":1}`,
		`{"format":"uri"}`:                                                   `"https://example.com/a?b#c"`,
		`{"format":"date-time"}`:                                             `"2026-07-28t12:00:00.5z"`,
		`{"format":"unheard of"}`:                                            `"x"`,
		`{"minimum":-1e-5}`:                                                  `-0.00001`,
		`{"multipleOf":0.01}`:                                                `19.99`,
		`{"properties":{"n":{"$ref":"#"}},"$dynamicAnchor":"n","x":{"$dynamicRef":"#n"}}`: `{"n":{"n":{}}}`,
	} {
		if err := compile(t, schema, Options{Formats: true}).Validate([]byte(value)); err != nil {
			t.Errorf("%s, %s: %v", schema, value, err)
		}
	}
}

func TestBroken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		schema    string
		unchecked bool
	}{
		"no JSON":              {schema: `{`},
		"a number":             {schema: `5`},
		"unknown type":         {schema: `{"type":"float"}`},
		"minimum is text":      {schema: `{"properties":{"a":{"minimum":"1"}}}`},
		"negative length":      {schema: `{"minLength":-1}`},
		"reference to nothing": {schema: `{"$ref":"#/$defs/none"}`},
		"open group":           {schema: `{"pattern":"("}`},
		"zero divisor":         {schema: `{"multipleOf":0}`},
		"reference elsewhere":  {schema: `{"$ref":"https://example.com/schema.json"}`, unchecked: true},
		"reference to a file":  {schema: `{"$ref":"file:///etc/passwd"}`, unchecked: true},
		"too large":            {schema: `{"title":"` + strings.Repeat("x", maxSchemaBytes) + `"}`, unchecked: true},
		"too deep":             {schema: strings.Repeat(`{"not":`, 65) + `{}` + strings.Repeat(`}`, 65), unchecked: true},
		"too many parts":       {schema: `{"allOf":[` + strings.Repeat(`{},`, maxSchemaNodes) + `{}]}`, unchecked: true},
		"explosive expression": {schema: `{"pattern":"` + strings.Repeat("[a-f]{900}", 20) + `"}`, unchecked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile([]byte(tt.schema), Options{})
			if err == nil || errors.Is(err, ErrUnchecked) != tt.unchecked {
				t.Errorf("got %.200v", err)
			}
		})
	}
}

// What would run for ever, or for very long, is given up.
func TestBounds(t *testing.T) {
	t.Parallel()
	doubling := `{"$defs":{"d0":{"type":"string"}`
	for i := 1; i <= 60; i++ {
		doubling += fmt.Sprintf(`,"d%d":{"%%s":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i-1, i-1)
	}
	doubling += `},"$ref":"#/$defs/d60"}`
	long := `"` + strings.Repeat("a", 3<<20) + `"`
	many := `[` + strings.Repeat(`"x",`, 240_000) + `"y"]`
	wide := object(200_000, "1")
	for name, tt := range map[string]struct{ schema, value string }{
		"a reference to itself": {`{"$ref":"#"}`, `1`},
		"a circle":              {`{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"not":{"$ref":"#"}}}}`, `1`},
		"anyOf doubles":         {strings.ReplaceAll(doubling, "%s", "anyOf"), `1`},
		"oneOf doubles":         {strings.ReplaceAll(doubling, "%s", "oneOf"), `""`},
		"allOf doubles":         {strings.ReplaceAll(doubling, "%s", "allOf"), `""`},
		"a costly pattern":      {`{"pattern":"(x+x+)+y(a|b|ab|aab){0,500}c"}`, long},
		"many large values":     {`{"items":{"enum":[1]},"contains":{"allOf":[{"pattern":"x{900}"}]}}`, many},
		"a large text":          {`{"type":"string"}`, `"` + strings.Repeat("a", maxInstanceBytes) + `"`},
		"members, many times":   {`{"allOf":[` + strings.Repeat(`{"properties":{}},`, 9000) + `true]}`, wide},
		"unknowable patterns":   {`{"allOf":[{"patternProperties":` + object(9000, "{}", "(?=x)") + `,"additionalProperties":false},false]}`, wide},
		"evaluated, many times": {`{"unevaluatedProperties":false,"allOf":[` + strings.Repeat(`{"unevaluatedProperties":true},`, 4000) + `true]}`, wide},
		"values in a value":     {`{"type":"array"}`, `[` + strings.Repeat(`{},`, maxInstanceValues) + `{}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := compile(t, tt.schema, Options{})
			began := time.Now()
			err := s.Validate([]byte(tt.value))
			var wrong *Error
			if !errors.Is(err, ErrUnchecked) && !errors.As(err, &wrong) {
				t.Errorf("got %v", err)
			}
			if name != "many large values" && name != "unknowable patterns" && !errors.Is(err, ErrUnchecked) {
				t.Errorf("got %v, want ErrUnchecked", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Schemas that would take much more memory than their text are given up.
func TestCompileBounds(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"long names on the way to many": `{"$defs":{"` + strings.Repeat("k", 100<<10) + `":{"properties":` + object(8000, "{}") + `}}}`,
		"many parts":                    `{"properties":` + object(maxSchemaNodes, "{}") + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Compile([]byte(schema), Options{}); !errors.Is(err, ErrUnchecked) {
				t.Errorf("got %v, want ErrUnchecked", err)
			}
		})
	}
}

// object returns an object with n members of that value, whose names begin with
// prefix.
func object(n int, value string, prefix ...string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s%x":%s`, strings.Join(prefix, ""), i, value)
	}
	b.WriteByte('}')
	return b.String()
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(`{"properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}`), []byte(`{"a":0}`))
	f.Add([]byte(`{"$defs":{"a":{"items":[true,{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a","unevaluatedItems":false}`), []byte(`[1,[2,3]]`))
	f.Add([]byte(`{"pattern":"^[a-z]+$","$id":"x:y","anyOf":[{"$ref":"#/not"}],"not":{"const":1e5}}`), []byte(`"x"`))
	f.Add([]byte(`{"multipleOf":0.3,"$anchor":"a","if":{"$ref":"#a"},"dependencies":{"a":["b"]}}`), []byte(`1e-3`))
	f.Fuzz(func(t *testing.T, schema, value []byte) {
		s, err := Compile(schema, Options{Formats: true})
		if err != nil {
			return
		}
		first, second := s.Validate(value), s.Validate(value)
		if (first == nil) != (second == nil) {
			t.Fatalf("%v, then %v", first, second)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	s := compile(b, `{"type":"object","properties":{"rows":{"type":"array","items":{"type":"object","properties":{
		"id":{"type":"integer"},"name":{"type":"string","maxLength":50},"tags":{"type":"array","items":{"enum":["a","b"]}}},"required":["id","name"]}}}}`, Options{})
	value := []byte(`{"rows":[` + strings.Repeat(`{"id":1,"name":"somebody","tags":["a","b"]},`, 99) + `{"id":2,"name":"else","tags":[]}]}`)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Validate(value); err != nil {
			b.Fatal(err)
		}
	}
}
