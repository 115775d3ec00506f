package auth

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxClaimDepth bounds how deep objects in claims are looked into.
const maxClaimDepth = 4

// readClaims adds the claims of a token to claims, as texts: those within
// objects by their path ("realm_access.roles"), and the words of "scope" one by
// one (RFC 8693, section 4.2).
func readClaims(t *oidc.IDToken, claims map[string][]string) error {
	var raw json.RawMessage
	if err := t.Claims(&raw); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // an id of more than 53 bits must not be rounded to another's
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return err
	}
	for name, value := range all {
		addClaim(claims, name, value, maxClaimDepth)
	}
	if scope, ok := all["scope"].(string); ok {
		claims["scope"] = strings.Fields(scope)
	}
	return nil
}

func addClaim(claims map[string][]string, name string, value any, depth int) {
	if depth == 0 {
		return
	}
	switch value := value.(type) {
	case string:
		claims[name] = append(claims[name], value)
	case json.Number:
		claims[name] = append(claims[name], value.String())
	case bool:
		claims[name] = append(claims[name], strconv.FormatBool(value))
	case []any:
		for _, item := range value {
			if _, nested := item.(map[string]any); !nested {
				addClaim(claims, name, item, depth-1)
			}
		}
	case map[string]any:
		for key, member := range value {
			addClaim(claims, name+"."+key, member, depth-1)
		}
	}
}
