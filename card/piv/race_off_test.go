//go:build !race

package piv

const raceEnabled = false
