package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card/piv"
)

func (a *app) completeObjects(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var out []string
	for _, o := range piv.Objects() {
		out = append(out, o.Name+"\t"+o.Label)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeReaders offers the readers that are there now.
func (a *app) completeReaders(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.global.reader = ""
	h, err := a.host()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer h.Close()
	states, err := h.Readers(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range states {
		out = append(out, s.Reader+"\t"+reportReader(s).state())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSerials offers the serial numbers of the cards that are there now.
func (a *app) completeSerials(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.global.serial = ""
	h, err := a.host()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer h.Close()
	present, err := a.present(cmd.Context(), h)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := a.identify(cmd.Context(), h, present)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, f := range found {
		if f.err == nil && f.identity.Serial != "" {
			out = append(out, f.identity.Serial+"\t"+f.identity.Model+" in "+f.reader)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag offers values for a flag; a shell shows nothing where that fails.
func (a *app) completeFlag(cmd *cobra.Command, flag string, f func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // no such flag: this program is wrong
	}
}

// completeSlots offers all slots for a command's first argument.
func (a *app) completeSlots(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var out []string
	for _, s := range piv.Slots() {
		out = append(out, string(s.Ref)+"\t"+s.Label)
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completionPatience is how long a shell waits for a card.
const completionPatience = 2 * time.Second

// completeKeys offers the slots that have a key on the card that is meant, and
// all slots where no card tells.
func (a *app) completeKeys(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	var out []string
	err := a.withCard(ctx, func(c *pivCard) error {
		keys, err := c.Keys(ctx)
		for _, k := range keys {
			out = append(out, fmt.Sprintf("%s\t%s, %s", k.Ref, k.Label, orQuestion(string(k.Algorithm))))
		}
		return err
	})
	if err != nil || len(out) == 0 {
		return a.completeSlots(cmd, args, typed)
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
