package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// oneOf accepts a word of a list, or none.
func oneOf(what, s string, words []string) (string, error) {
	if s == "" {
		return "", nil
	}
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return w, nil
		}
	}
	return "", usagef("unknown %s %q; there are %s", what, s, strings.Join(words, ", "))
}

// wordFlag adds a flag that takes one of these words; the help has them where
// usage has %s.
func (a *app) wordFlag(cmd *cobra.Command, v *string, flag, short, value, usage string, words []string) {
	cmd.Flags().StringVarP(v, flag, short, value, fmt.Sprintf(usage, strings.Join(words, ", ")))
	a.completeWords(cmd, flag, words...)
}

// completeWords offers fixed values for a flag.
func (a *app) completeWords(cmd *cobra.Command, flag string, words ...string) {
	a.completeFlag(cmd, flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		// Lists end in the word being typed.
		done := typed[:strings.LastIndex(typed, ",")+1]
		var out []string
		for _, w := range words {
			out = append(out, done+w)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	})
}
