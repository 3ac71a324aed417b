package reader

import "errors"

var errNoCgo = errors.New("this build cannot speak PC/SC: it was made without cgo; rebuild with CGO_ENABLED=1 and libpcsclite-dev installed")
