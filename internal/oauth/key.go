package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// assertionLife is how long an assertion is good for.
const assertionLife = time.Minute

// A Key signs assertions in place of a client secret (RFC 7523). It may be used
// concurrently.
type Key struct {
	signer    crypto.Signer
	algorithm algorithm
	id        string
	// fingerprint is a hash of the public key.
	fingerprint []byte
}

// An algorithm is one of JWS (RFC 7518, 3.1; RFC 8037).
type algorithm struct {
	name string
	hash crypto.Hash
	opts crypto.SignerOpts
	// size is that of each half of an ECDSA signature; 0 for other algorithms.
	size int
}

// ParseKey reads a private key: PKCS #8 in PEM. name is the JWS algorithm, ""
// for the usual one of the type of key; id is the kid, "" for none. The error
// repeats nothing of the key.
func ParseKey(text, name, id string) (*Key, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("private key: is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("private key: is not PKCS #8")
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("private key: is of a type that cannot sign")
	}
	algorithms := algorithmsOf(signer)
	for _, a := range algorithms {
		if name != "" && a.name != name {
			continue
		}
		public, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		sum := sha256.Sum256(append(public, a.name+id...))
		return &Key{signer: signer, algorithm: a, id: id, fingerprint: sum[:]}, nil
	}
	return nil, fmt.Errorf("signing algorithm: %.20q does not fit the key", name)
}

// algorithmsOf returns what a key can sign by, the usual one first.
func algorithmsOf(key crypto.Signer) []algorithm {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []algorithm{{"ES256", crypto.SHA256, crypto.SHA256, 32}}
		case 384:
			return []algorithm{{"ES384", crypto.SHA384, crypto.SHA384, 48}}
		case 521:
			return []algorithm{{"ES512", crypto.SHA512, crypto.SHA512, 66}}
		}
	case *rsa.PrivateKey:
		pss := func(h crypto.Hash) crypto.SignerOpts {
			return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
		}
		return []algorithm{
			{"RS256", crypto.SHA256, crypto.SHA256, 0}, {"PS256", crypto.SHA256, pss(crypto.SHA256), 0},
			{"RS384", crypto.SHA384, crypto.SHA384, 0}, {"PS384", crypto.SHA384, pss(crypto.SHA384), 0},
			{"RS512", crypto.SHA512, crypto.SHA512, 0}, {"PS512", crypto.SHA512, pss(crypto.SHA512), 0},
		}
	case ed25519.PrivateKey:
		return []algorithm{{"EdDSA", 0, crypto.Hash(0), 0}}
	}
	return nil
}

// assertion returns a JWT by which the client says to audience that it is itself
// (RFC 7523, 3). It is good for one use.
func (k *Key) assertion(clientID, audience string) (string, error) {
	header := map[string]string{"alg": k.algorithm.name, "typ": "JWT"}
	if k.id != "" {
		header["kid"] = k.id
	}
	now := time.Now()
	claims := map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	signed, err := segments(header, claims)
	if err != nil {
		return "", err
	}
	signature, err := k.sign(signed)
	if err != nil {
		return "", fmt.Errorf("sign the assertion: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func segments(header map[string]string, claims map[string]any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("write the assertion: %w", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write the assertion: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c), nil
}

// sign returns the signature in the form of JWS, which for ECDSA is the two
// numbers side by side (RFC 7518, 3.4).
func (k *Key) sign(text string) ([]byte, error) {
	digest := []byte(text)
	if k.algorithm.hash != 0 {
		h := k.algorithm.hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	key, elliptic := k.signer.(*ecdsa.PrivateKey)
	if !elliptic {
		return k.signer.Sign(rand.Reader, digest, k.algorithm.opts)
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	return append(fixed(r, k.algorithm.size), fixed(s, k.algorithm.size)...), nil
}

func fixed(n *big.Int, size int) []byte { return n.FillBytes(make([]byte, size)) }
