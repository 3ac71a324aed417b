// Package bench counts the APDUs that programs spend on a task, at the card,
// behind a real pcscd: ours beside those of others, on the same card in the
// same run. Counts do not depend on how fast or busy the machine is.
package bench

import (
	"testing"

	"cardbridge/hwtest"
)

func TestMain(m *testing.M) { hwtest.Main(m) }
