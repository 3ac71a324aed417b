//go:build !linux

package reader

// Holders is empty: this system does not tell.
func Holders() []Process { return nil }

func startAdvice() string { return "" }
