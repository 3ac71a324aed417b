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
				withheld := 0
				err := c.Together(cmd.Context(), func(ctx context.Context) error {
					for _, o := range piv.Objects() {
						r := reportObject(o)
						value, err := c.ReadObject(ctx, o.Tag)
						switch {
						case errors.Is(err, card.ErrNotFound):
							continue
						case errors.Is(err, card.ErrLoginRequired):
						case errors.Is(err, card.ErrWithheld):
							withheld++
							continue
						case errors.Is(err, card.ErrInvalidAnswer):
							a.warn("%v", err) // and the others are listed
						case err != nil:
							return err
						default:
							yes := true
							r.Present, r.Size = &yes, len(value)
						}
						report.Objects = append(report.Objects, r)
					}
					return nil
				})
				if err != nil {
					return err
				}
				if withheld > 0 {
					a.warn("the card withholds %d objects from this reader, whether they are there or not; many cards give them over their contacts only", withheld)
				}
				return a.printObjects(report)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the objects that are known, without a card")
	return cmd
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
