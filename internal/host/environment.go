package host

import "os"

// FromEnvironment is the value of CARDBRIDGE_READERS, or "" when the process
// runs with more rights than its caller, who may not choose then.
func FromEnvironment() string {
	if Secure() {
		return ""
	}
	return os.Getenv("CARDBRIDGE_READERS")
}
