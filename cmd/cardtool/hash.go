package main

import (
	"crypto"
	_ "crypto/sha1" // what old signatures and OAEP use
	_ "crypto/sha256"
	_ "crypto/sha512"
	"strings"
)

// hashes are what --hash takes.
var hashes = []struct {
	name string
	hash crypto.Hash
}{
	{"sha256", crypto.SHA256},
	{"sha384", crypto.SHA384},
	{"sha512", crypto.SHA512},
	{"sha1", crypto.SHA1},
}

func hashNames() []string {
	var out []string
	for _, h := range hashes {
		out = append(out, h.name)
	}
	return out
}

// parseHash reads a hash; none gives 0.
func parseHash(s string) (crypto.Hash, error) {
	if s == "" {
		return 0, nil
	}
	for _, h := range hashes {
		if h.name == strings.ReplaceAll(strings.ToLower(s), "-", "") {
			return h.hash, nil
		}
	}
	return 0, usagef("unknown hash %q; there are %s", s, strings.Join(hashNames(), ", "))
}
