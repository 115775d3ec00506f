package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// minTokenBytes is the length of 128 random bits and more, however they are
// written; shorter ones can be guessed.
const minTokenBytes = 32

// hashPrefix begins a token that is written as its hash.
const hashPrefix = "sha256:"

// A Token is a secret that proves its bearer to be a principal. Only its hash
// is kept.
type Token struct {
	hash      [sha256.Size]byte
	principal *Principal
}

// ParseToken reads a token from one line of words: the name of the principal,
// the token itself or "sha256:" and the hash of it in hexadecimal, and what
// claims the bearer has, as name=value or name=value,value:
//
//	billing sha256:5e88…  groups=finance,eu
//
// Errors do not quote the line.
func ParseToken(line string) (Token, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return Token{}, errors.New(`is not a principal and its token; write "billing sha256:…"`)
	}
	t := Token{principal: &Principal{ID: methodPreshared + words[0]}}
	if strings.ContainsAny(words[0], "*?=") {
		return Token{}, errors.New(`has a principal with "*", "?" or "=" in its name; choose another name`)
	}
	var err error
	if t.hash, err = hashOf(words[1]); err != nil {
		return Token{}, err
	}
	t.principal.Claims, err = parseClaims(words[2:])
	return t, err
}

func hashOf(word string) (hash [sha256.Size]byte, err error) {
	digits, hashed := strings.CutPrefix(word, hashPrefix)
	if !hashed {
		if len(word) < minTokenBytes {
			return hash, fmt.Errorf("has a token of less than %d bytes; make one with: openssl rand -hex 32", minTokenBytes)
		}
		return sha256.Sum256([]byte(word)), nil
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != sha256.Size {
		return hash, fmt.Errorf(`has a hash that is not %q and %d hexadecimal digits; make one with: printf %%s "$TOKEN" | sha256sum`,
			hashPrefix, 2*sha256.Size)
	}
	return [sha256.Size]byte(raw), nil
}

func parseClaims(words []string) (map[string][]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	claims := make(map[string][]string, len(words))
	for _, word := range words {
		name, values, ok := strings.Cut(word, "=")
		if !ok || name == "" || values == "" {
			return nil, errors.New("has a claim that is not name=value; a token has no spaces")
		}
		for value := range strings.SplitSeq(values, ",") {
			if value != "" && !slices.Contains(claims[name], value) {
				claims[name] = append(claims[name], value)
			}
		}
	}
	return claims, nil
}
