package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// cacheLife is how long a token that was found good is not looked at again:
	// a signature takes longer to check than a short call does.
	cacheLife = time.Minute
	// maxCached bounds the tokens that are remembered.
	maxCached = 4096
)

// A tokenCache remembers tokens that were found good, by their hashes. The zero
// tokenCache is empty.
type tokenCache struct {
	mu     sync.RWMutex // guards tokens
	tokens map[[sha256.Size]byte]cachedToken
}

type cachedToken struct {
	principal *Principal
	until     time.Time
}

func (c *tokenCache) get(hash [sha256.Size]byte, now time.Time) *Principal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t, ok := c.tokens[hash]; ok && now.Before(t.until) {
		return t.principal
	}
	return nil
}

// put remembers a token, at the longest until it expires.
func (c *tokenCache) put(hash [sha256.Size]byte, p *Principal, now, expiry time.Time) {
	until := now.Add(cacheLife)
	if expiry.Before(until) {
		until = expiry
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= maxCached {
		clear(c.tokens)
	}
	if c.tokens == nil {
		c.tokens = make(map[[sha256.Size]byte]cachedToken)
	}
	c.tokens[hash] = cachedToken{principal: p, until: until}
}
