module cardbridge

go 1.26.0

require (
	github.com/ebfe/scard v0.0.0-20241214075232-7af069cabc25
	github.com/go-piv/piv-go/v2 v2.6.0
	golang.org/x/sys v0.49.0
)

require golang.org/x/crypto v0.50.0 // indirect

require (
	github.com/miekg/pkcs11 v1.1.2
	pgregory.net/rapid v1.3.0
)
