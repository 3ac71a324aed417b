//go:build !cgo && !windows

package reader

// newService stands in where libpcsclite cannot be linked.
func newService() service { return noService{} }

type noService struct{}

func (noService) Establish() (session, error) { return nil, errNoCgo }
