package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cardbridge/card"
	"cardbridge/card/piv"
)

func (a *app) objectCommand() *cobra.Command {
	return group("object", "List, read, write and delete data objects",
		a.objectListCommand(),
		a.objectReadCommand(),
		a.objectWriteCommand(),
		a.objectDeleteCommand(),
	)
}

func objectArg(name string) (piv.Object, error) {
	if o, ok := piv.ObjectByName(name); ok {
		return o, nil
	}
	return piv.Object{}, usagef("unknown object %q; give a name of cardtool object list --all, or a tag in hex", name)
}

// An objectReport is a data object in JSON.
type objectReport struct {
	Name    string `json:"name"`
	Tag     string `json:"tag"` // in hex
	Label   string `json:"label"`
	PIN     bool   `json:"pin"`               // reading it needs the PIN
	Present *bool  `json:"present,omitempty"` // null where only the PIN would tell
	Size    int    `json:"size,omitempty"`    // in bytes
	Value   string `json:"value,omitempty"`   // in hex
	Decoded any    `json:"decoded,omitempty"` // its fields, where its kind is known
}

type objectsReport struct {
	Objects []objectReport `json:"objects"`
}

func reportObject(o piv.Object) objectReport {
	return objectReport{Name: o.Name, Tag: o.Tag.String(), Label: o.Label, PIN: o.PIN}
}

func (a *app) objectListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the data objects on a card",
		Long: `List the data objects that are on a card and how long they are. Whether an object
that only the PIN opens is there is not always known without it.`,
		Example: "  cardtool object list\n  cardtool object list --all",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := objectsReport{Objects: []objectReport{}}
			if all {
				for _, o := range piv.Objects() {
					report.Objects = append(report.Objects, reportObject(o))
				}
				return a.printObjects(report)
			}
			return a.withCard(cmd.Context(), func(c *pivCard) error {
				var err error
				if report.Objects, err = c.objects(cmd.Context()); err != nil {
					return err
				}
				return a.printObjects(report)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the objects that are known, without a card")
	return cmd
}

// objects looks for every object that is known. One that makes no sense, or that
// the card withholds from this reader, hides no other.
func (c *pivCard) objects(ctx context.Context) ([]objectReport, error) {
	found, withheld := []objectReport{}, 0
	err := c.Together(ctx, func(ctx context.Context) error {
		for _, o := range piv.Objects() {
			r := reportObject(o)
			value, err := c.ReadObject(ctx, o.Tag)
			switch {
			case err == nil:
				yes := true
				r.Present, r.Size = &yes, len(value)
			case errors.Is(err, card.ErrNotFound):
				continue
			case errors.Is(err, card.ErrWithheld):
				withheld++
				continue
			case errors.Is(err, card.ErrInvalidAnswer):
				c.app.warn("%v", err)
			case !errors.Is(err, card.ErrLoginRequired):
				return err
			}
			found = append(found, r)
		}
		return nil
	})
	c.warnWithheld(withheld, "objects")
	return found, err
}

// warnWithheld says of how many things nobody knows whether they are there.
func (c *pivCard) warnWithheld(n int, what string) {
	if n > 0 {
		c.app.warn("the card withholds %d %s from this reader, whether they are there or not; many cards give them over their contacts only", n, what)
	}
}

func (a *app) printObjects(report objectsReport) error {
	return a.print(report, func(w io.Writer) {
		rows := [][]string{{"OBJECT", "TAG", "SIZE", "DESCRIPTION"}}
		for _, r := range report.Objects {
			size := "-"
			switch {
			case r.Present != nil:
				size = fmt.Sprint(r.Size)
			case r.PIN:
				size = "PIN"
			}
			rows = append(rows, []string{r.Name, r.Tag, size, r.Label})
		}
		table(w, rows)
	})
}
