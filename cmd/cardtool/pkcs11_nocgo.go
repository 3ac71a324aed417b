//go:build !cgo

package main

import "github.com/spf13/cobra"

// pkcs11ModuleCommands is empty: loading a module takes cgo, which this build
// does without.
func (a *app) pkcs11ModuleCommands() []*cobra.Command { return nil }
