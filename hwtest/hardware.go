package hwtest

import (
	"os"
	"strings"
)

// hardwareSerials are the serial numbers of the real cards that a person has
// given for tests: HWTEST_SERIALS, separated by commas. Then no virtual reader
// is started, and no other card is touched.
func hardwareSerials() []string {
	return strings.FieldsFunc(os.Getenv("HWTEST_SERIALS"), func(r rune) bool { return r == ',' || r == ' ' })
}
