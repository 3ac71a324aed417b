//go:build !cgo && !windows

package reader

import "context"

// newService stands in where libpcsclite cannot be linked.
func newService() service { return noService{} }

type noService struct{}

func (noService) Establish() (session, error) { return nil, errNoCgo }

func (noService) Await(ctx context.Context) { <-ctx.Done() }
