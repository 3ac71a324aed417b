//go:build !linux

package reader

import (
	"context"
	"time"
)

// awaitService waits a second: nothing tells of the service's start here.
func awaitService(ctx context.Context) { _ = sleep(ctx, time.Second) }

// serviceSeen is for where a service that is there can be told from one that is
// not.
func serviceSeen() bool { return false }
