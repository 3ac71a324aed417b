package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

// slotArg reads a slot from the command line.
func slotArg(name string) (piv.Slot, error) {
	if s, ok := piv.SlotByName(name); ok {
		return s, nil
	}
	return piv.Slot{}, usagef("unknown slot %q; slots are %s", name, slotNames())
}

// slotNames writes the slots as a person would: the retired ones as a range.
func slotNames() string {
	var names []string
	var retired []card.KeyRef
	for _, s := range piv.Slots() {
		if s.Retired {
			retired = append(retired, s.Ref)
			continue
		}
		names = append(names, string(s.Ref))
	}
	if len(retired) > 0 {
		names = append(names, string(retired[0])+" to "+string(retired[len(retired)-1]))
	}
	return strings.Join(names, ", ")
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
