package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardbridge/card/piv"
)

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
				var value []byte
				read := func(ctx context.Context) (err error) {
					value, err = c.ReadObject(ctx, o.Tag)
					return err
				}
				if o.PIN {
					err = c.withPIN(ctx, spendLast, read)
				} else {
					err = read(ctx)
				}
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
	a.anyPINFlag(cmd)
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
