package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// methodPreshared begins the ids of principals with preshared tokens.
const methodPreshared = "preshared:"

// maxTokensFile bounds the file of tokens: ten thousand of them and more.
const maxTokensFile = 2 << 20

// Tokens are preshared tokens, some fixed and some of a file that may change.
// They may be used concurrently.
type Tokens struct {
	fixed []Token
	path  string
	// salt makes what a token is found by unpredictable, so that nobody can
	// learn of the tokens from how long it takes not to find one.
	salt [sha256.Size]byte

	table atomic.Pointer[map[[sha256.Size]byte]Token]
}

// NewTokens returns the given tokens and, if path is not empty, those of the
// file there, one on a line as [ParseToken] reads it; empty lines and lines that
// begin with "#" are skipped. [Tokens.Load] has to be called first.
func NewTokens(fixed []Token, path string) *Tokens {
	t := &Tokens{fixed: fixed, path: path}
	_, _ = rand.Read(t.salt[:]) // never fails
	return t
}

// Load reads the file. If that fails the tokens stay as they are.
func (t *Tokens) Load() error {
	all := t.fixed
	if t.path != "" {
		more, err := readTokens(t.path)
		if err != nil {
			return fmt.Errorf("tokens of %s: %w", t.path, err)
		}
		all = slices.Concat(all, more)
	}
	table := make(map[[sha256.Size]byte]Token, len(all))
	for _, token := range all {
		slot := t.slot(token.hash)
		if other, taken := table[slot]; taken {
			return fmt.Errorf("the tokens of %s and %s are the same; make another for one of them",
				nameOf(other), nameOf(token))
		}
		table[slot] = token
	}
	t.table.Store(&table)
	return nil
}

func nameOf(t Token) string { return strings.TrimPrefix(t.principal.ID, methodPreshared) }

// find returns whose token it is, nil if it is nobody's.
func (t *Tokens) find(token string) *Principal {
	table := t.table.Load()
	if table == nil {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	found, ok := (*table)[t.slot(hash)]
	if !ok || subtle.ConstantTimeCompare(found.hash[:], hash[:]) != 1 {
		return nil
	}
	return found.principal
}

func (t *Tokens) slot(hash [sha256.Size]byte) [sha256.Size]byte {
	var both [2 * sha256.Size]byte
	copy(both[:], t.salt[:])
	copy(both[sha256.Size:], hash[:])
	return sha256.Sum256(both[:])
}

func readTokens(path string) ([]Token, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened to read: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, maxTokensFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxTokensFile:
		return nil, fmt.Errorf("the file has more than %d bytes", maxTokensFile)
	}
	var tokens []Token
	var wrong []error
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		token, err := ParseToken(line)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %d %w", number, err))
			continue
		}
		tokens = append(tokens, token)
	}
	return tokens, errors.Join(wrong...)
}
