package oauth

import (
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// The bounds of the challenges that are read; what goes beyond is ignored.
const (
	maxChallenges     = 16
	maxChallengeBytes = 8 << 10
)

// A challenge is what a 401 or 403 says of how to get in.
type challenge struct {
	status int
	// metadata is the URL of the protected resource metadata, "" if not said.
	metadata string
	// scopes are those that are needed, nil if not said.
	scopes []string
	// insufficient: the token is valid, but not for this (RFC 6750, 3.1).
	insufficient bool
}

// readChallenge reads all challenges of a reply. A header that cannot be read
// counts as none.
func readChallenge(resp *http.Response) challenge {
	c := challenge{status: resp.StatusCode}
	values := resp.Header.Values("WWW-Authenticate")
	for _, v := range values[:min(len(values), maxChallenges)] {
		if len(v) > maxChallengeBytes {
			continue
		}
		parsed, err := oauthex.ParseWWWAuthenticate([]string{v})
		if err != nil {
			continue
		}
		for _, p := range parsed {
			c.add(p)
		}
	}
	return c
}

func (c *challenge) add(p oauthex.Challenge) {
	if c.metadata == "" {
		c.metadata = p.Params["resource_metadata"]
	}
	if p.Scheme != "bearer" {
		return
	}
	if len(c.scopes) == 0 {
		c.scopes = strings.Fields(p.Params["scope"])
	}
	if c.status == http.StatusForbidden && p.Params["error"] == "insufficient_scope" {
		c.insufficient = true
	}
}
