package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

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

func (a *app) objectReadCommand() *cobra.Command {
	var (
		raw, hexa, spendLast bool
		out                  output
	)
	cmd := &cobra.Command{
		Use:   "read OBJECT",
		Short: "Show a data object, or write it to a file",
		Long: `Show a data object decoded, or write it as it is with --output (or --raw). Some
objects need the PIN.`,
		Example:           "  cardtool object read chuid\n  cardtool object read 5FC109 --pin-file pin.txt -o printed.bin",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeObjects,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			o, err := objectArg(argv[0])
			if err != nil {
				return err
			}
			if out.path != "" || raw || hexa {
				if err := out.open(!hexa); err != nil {
					return err
				}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if o.PIN {
					if err := c.loginPIN(ctx, spendLast); err != nil {
						return err
					}
				}
				value, err := c.ReadObject(ctx, o.Tag)
				if err != nil {
					return err
				}
				switch {
				case hexa:
					return out.put([]byte(hex.EncodeToString(value) + "\n"))
				case out.w != nil:
					return out.put(value)
				}
				return a.showObject(o, value)
			})
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write its bytes")
	cmd.Flags().BoolVar(&hexa, "hex", false, "write it in hex")
	a.takes(cmd, pinSecret)
	spendLastFlag(cmd, &spendLast)
	a.outputFlags(cmd, &out, "object")
	return cmd
}

func (a *app) showObject(o piv.Object, value []byte) error {
	r := reportObject(o)
	yes := true
	r.Present, r.Size, r.Value = &yes, len(value), hex.EncodeToString(value)
	decoded, err := piv.Decode(o.Tag, value)
	if err != nil {
		a.warn("%s", oneLine(err.Error()))
	} else {
		r.Decoded = decoded
	}
	return a.print(r, func(w io.Writer) {
		pairs := []string{"Object", r.Label, "Tag", r.Tag, "Size", fmt.Sprintf("%d bytes", r.Size)}
		if decoded == nil {
			pairs = append(pairs, "Value", r.Value)
		} else {
			pairs = append(pairs, fields(decoded)...)
		}
		facts(w, pairs...)
	})
}

// fields are a struct's exported fields by name, in words.
func fields(v any) []string {
	rv := reflect.Indirect(reflect.ValueOf(v))
	if rv.Kind() != reflect.Struct {
		return []string{"Value", fieldText(rv)}
	}
	var out []string
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if f.IsExported() {
			out = append(out, words(f.Name), fieldText(rv.Field(i)))
		}
	}
	return out
}

func fieldText(v reflect.Value) string {
	if v.IsZero() && v.Kind() != reflect.Bool && !v.CanInt() && !v.CanUint() {
		return ""
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return x.Format(time.DateOnly)
	case []byte:
		return strings.ToUpper(hex.EncodeToString(x))
	case fmt.Stringer:
		return x.String()
	}
	if v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return strings.ToUpper(hex.EncodeToString(b))
	}
	switch v.Kind() {
	case reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("%X (hex)", v.Uint())
	case reflect.Bool:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
		b, err := json.Marshal(v.Interface())
		if err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v.Interface())
}

// words breaks a Go name up: "ExpirationDate" is "Expiration date".
func words(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		upper := r >= 'A' && r <= 'Z'
		afterLower := i > 0 && (runes[i-1] < 'A' || runes[i-1] > 'Z')
		beforeLower := i+1 < len(runes) && runes[i+1] >= 'a' && runes[i+1] <= 'z'
		if i > 0 && upper && (afterLower || beforeLower) {
			b.WriteByte(' ')
			if beforeLower {
				r += 'a' - 'A'
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// generated are the objects that cardtool makes for fresh cards.
var generated = map[string]func() []byte{
	"chuid": func() []byte { return piv.NewCHUID(time.Now().AddDate(20, 0, 0)).Encode() },
	"ccc":   func() []byte { return piv.NewCCC().Encode() },
}

func (a *app) objectWriteCommand() *cobra.Command {
	var (
		fresh bool
		login adminLogin
	)
	cmd := &cobra.Command{
		Use:   "write OBJECT [FILE]",
		Short: "Store a data object",
		Long: `Store a data object from a file or standard input, as it is: what goes inside its tag
53. With --generate, a CHUID with a fresh GUID or a CCC is made, as a new card needs.`,
		Example:           "  cardtool object write chuid --generate\n  cardtool object write 5F0001 notes.bin",
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeObjects,
		RunE: func(cmd *cobra.Command, argv []string) error {
			ctx := cmd.Context()
			o, err := objectArg(argv[0])
			if err != nil {
				return err
			}
			var value []byte
			switch {
			case fresh && len(argv) == 2:
				return usagef("--generate and a file at once")
			case fresh:
				make := generated[o.Name]
				if make == nil {
					return usagef("--generate makes a chuid or a ccc")
				}
				value = make()
			default:
				file := ""
				if len(argv) == 2 {
					file = argv[1]
				}
				if value, err = a.readInput(file); err != nil {
					return err
				}
				if len(value) == 0 {
					return hinted{inputf("%s is empty", inputName(file)), "cardtool object delete deletes an object"}
				}
			}
			return a.withCard(ctx, func(c *pivCard) error {
				if err := c.mayReplaceObject(ctx, o); err != nil {
					return err
				}
				if err := c.login(ctx, login); err != nil {
					return err
				}
				if err := c.WriteObject(ctx, o.Tag, value); err != nil {
					return err
				}
				a.message("%s stored, %d bytes", o.Label, len(value))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&fresh, "generate", false, "make a new chuid or ccc")
	a.adminFlags(cmd, &login)
	a.yesFlag(cmd)
	return cmd
}

// mayReplaceObject asks before an object that is seen on the card is lost.
func (c *pivCard) mayReplaceObject(ctx context.Context, o piv.Object) error {
	if c.app.global.yes {
		return nil
	}
	old, err := c.ReadObject(ctx, o.Tag)
	switch {
	case errors.Is(err, card.ErrNotFound):
		return nil
	case errors.Is(err, card.ErrLoginRequired):
		return c.app.confirm(ctx, fmt.Sprintf("The %s may be on the card, which only the PIN tells; what it holds will be lost, be it the management key that is kept there.", o.Label))
	case err != nil:
		return err
	}
	return c.app.confirm(ctx, fmt.Sprintf("The %s on the card, %d bytes, will be lost.", o.Label, len(old)))
}
