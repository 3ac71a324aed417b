//go:build !windows

package reader

const pinSeparator = "\x00"
