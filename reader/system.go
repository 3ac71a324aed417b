package reader

import "context"

// A System is the machine's PC/SC service: pcscd, or Windows' Smart Card
// service. It holds nothing; it may be used from any goroutine.
type System struct {
	pcsc service
}

// New does nothing yet: the service is asked when something is asked of the
// System.
func New() *System { return &System{pcsc: newService()} }

// List looks at all readers once. No readers are no error.
func (s *System) List(ctx context.Context) ([]State, error) {
	m := s.Monitor()
	return m.Readers(ctx)
}
