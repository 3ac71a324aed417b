package main

import (
	"bytes"
	"fmt"
	"strings"
)

// A parameter is one name:kind of functions.txt.
type parameter struct{ name, kind, raw string }

// A function is one line of functions.txt.
type function struct {
	name    string // C_Sign
	version string // the list that has it first
	params  []parameter
}

func readFunctions(path string) (all []function, err error) {
	version := ""
	err = lines(path, func(f []string) error {
		if f[0] == "version" {
			version = f[1]
			return nil
		}
		fn := function{name: f[0], version: version}
		for _, p := range f[1:] {
			name, kind, _ := strings.Cut(p, ":")
			kind, raw, _ := strings.Cut(kind, "=")
			if _, ok := kinds[kind]; !ok {
				return fmt.Errorf("%s: unknown kind in %q", fn.name, p)
			}
			fn.params = append(fn.params, parameter{name, kind, raw})
		}
		all = append(all, fn)
		return nil
	})
	return all, err
}

// A kind says what a parameter is in C (a type, or several parameters with
// suffixes) and how it gets to Go and back.
type kind struct {
	c [][2]string // type, suffix of the name
	// arg is the Go argument; %[1]s is the parameter's name.
	arg string
	// before and after are Go statements around the call. after runs with err
	// being the call's error.
	before, after string
	// result tells whether the Go method returns something for this parameter.
	result bool
}

// answer is a pointer to one value that the Go method returns.
func answer(typ string) kind {
	return kind{
		c: one(typ + "_PTR"), result: true,
		before: "if %[1]s == nil {\nreturn ck.CKR_ARGUMENTS_BAD\n}\n",
		after:  "if err == nil {\n*%[1]s = C." + typ + "(%[1]sGo)\n}\n",
	}
}

// refused ends a function whose argument cannot be had.
const refused = "if err != nil {\nreturn err\n}\n"

var kinds = map[string]kind{
	"session":  {c: one("CK_SESSION_HANDLE"), arg: "session.SessionHandle(%[1]s)"},
	"object":   {c: one("CK_OBJECT_HANDLE"), arg: "session.ObjectHandle(%[1]s)"},
	"slot":     {c: one("CK_SLOT_ID"), arg: "session.SlotID(%[1]s)"},
	"ulong":    {c: one("CK_ULONG"), arg: "uint(%[1]s)"},
	"flags":    {c: one("CK_FLAGS"), arg: "ck.Flags(%[1]s)"},
	"user":     {c: one("CK_USER_TYPE"), arg: "ck.UserType(%[1]s)"},
	"mechtype": {c: one("CK_MECHANISM_TYPE"), arg: "ck.MechanismType(%[1]s)"},
	"bool":     {c: one("CK_BBOOL"), arg: "%[1]s != 0"},
	"in": {
		c: two("CK_BYTE_PTR", "CK_ULONG"), arg: "%[1]sBytes",
		before: "%[1]sBytes, err := copyIn(%[1]s, %[1]sLen)\n" + refused,
	},
	"text": {
		c: two("CK_UTF8CHAR_PTR", "CK_ULONG"), arg: "%[1]sBytes",
		before: "%[1]sBytes, err := copyIn(%[1]s, %[1]sLen)\n" + refused + "defer clear(%[1]sBytes)\n",
	},
	"out": {
		c: two("CK_BYTE_PTR", "CK_ULONG_PTR"), arg: "%[1]sOut",
		before: "%[1]sOut, err := newOut(%[1]s, %[1]sLen)\n" + refused,
		after:  "copyOut(%[1]sOut, %[1]s, %[1]sLen, err)\n",
	},
	"buffer": {
		c: two("CK_BYTE_PTR", "CK_ULONG"), arg: "%[1]sBuffer",
		before: "%[1]sBuffer, err := newBuffer(%[1]s, %[1]sLen)\n" + refused,
		after:  "copyBuffer(%[1]sBuffer, %[1]s, err)\n",
	},
	"mechanism": {
		c: one("CK_MECHANISM_PTR"), arg: "%[1]sGo",
		before: "%[1]sGo, err := copyMechanism(%[1]s)\n" + refused,
	},
	"template": {
		c: two("CK_ATTRIBUTE_PTR", "CK_ULONG"), arg: "%[1]sGo",
		before: "%[1]sGo, err := copyTemplate(%[1]s, %[1]sLen)\n" + refused + "defer wipeTemplate(%[1]sGo)\n",
	},
	"newobject": answer("CK_OBJECT_HANDLE"),
	"newulong":  answer("CK_ULONG"),
	"newflags":  answer("CK_FLAGS"),
	"param": {
		c: two("CK_VOID_PTR", "CK_ULONG"), arg: "%[1]sGo",
		before: "%[1]sGo, err := copyParameter(%[1]s, %[1]sLen)\n" + refused,
	},
	"raw": {},
}

func one(typ string) [][2]string { return [][2]string{{typ, ""}} }

func two(typ, length string) [][2]string { return [][2]string{{typ, ""}, {length, "Len"}} }

// inC are the functions that never reach Go.
var inC = map[string]bool{"C_GetFunctionList": true, "C_GetInterfaceList": true, "C_GetInterface": true}

// manual tells whether the Go side is written by hand.
func (f function) manual() bool {
	for _, p := range f.params {
		if p.kind == "raw" {
			return true
		}
	}
	return false
}

// cParams lists type and name of all C parameters.
func (f function) cParams() (all [][2]string) {
	for _, p := range f.params {
		if p.kind == "raw" {
			all = append(all, [2]string{p.raw, p.name})
			continue
		}
		for _, c := range kinds[p.kind].c {
			all = append(all, [2]string{c[0], p.name + c[1]})
		}
	}
	return all
}

func join(params [][2]string, f func([2]string) string) string {
	var s []string
	for _, p := range params {
		s = append(s, f(p))
	}
	return strings.Join(s, ", ")
}

func prototype(params [][2]string) string {
	return join(params, func(p [2]string) string { return p[0] + " " + p[1] })
}

func writeFunctionNames(b *bytes.Buffer, all []function) {
	b.WriteString(header + "package ck\n\n// A Function is a function of the standard and the version whose list has it first.\ntype Function struct{ Name, Since string }\n\n// Functions is in the order of the function lists.\nvar Functions = [...]Function{\n")
	for _, f := range all {
		fmt.Fprintf(b, "{%q, %q},\n", f.name, f.version)
	}
	b.WriteString("}\n")
}

// writeHeader writes the prototypes and the function lists.
func writeHeader(b *bytes.Buffer, all []function) {
	b.WriteString(header + "#ifndef CB_FUNCTIONS_H\n#define CB_FUNCTIONS_H\n\n")
	for _, f := range all {
		fmt.Fprintf(b, "CK_RV %s(%s);\n", f.name, prototype(f.cParams()))
	}
	upTo := map[string]string{"2.40": "CK_FUNCTION_LIST", "3.0": "CK_FUNCTION_LIST_3_0", "3.2": "CK_FUNCTION_LIST_3_2"}
	for _, v := range []string{"2.40", "3.0", "3.2"} {
		fmt.Fprintf(b, "\nstruct %s {\n\tCK_VERSION version;\n", upTo[v])
		for _, f := range all {
			if versionLess(v, f.version) {
				continue
			}
			fmt.Fprintf(b, "\tCK_RV (*%s)(%s);\n", f.name, prototype(f.cParams()))
		}
		b.WriteString("};\n")
		fmt.Fprintf(b, "\n#define CB_%s_INIT \\\n", upTo[v])
		for _, f := range all {
			if !versionLess(v, f.version) {
				fmt.Fprintf(b, "\t%s, \\\n", f.name)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("#endif\n")
}

func versionLess(a, b string) bool {
	order := map[string]int{"2.40": 0, "3.0": 1, "3.2": 2}
	return order[a] < order[b]
}

// writeShell writes the functions that the outside sees: the fork check, the
// host's signals, and the call.
func writeShell(b *bytes.Buffer, all []function) {
	b.WriteString(header + "#include \"cryptoki.h\"\n#include \"fork.h\"\n#include \"signals.h\"\n#include \"_cgo_export.h\"\n")
	for _, f := range all {
		if inC[f.name] || f.name == "C_Initialize" {
			continue
		}
		args := join(f.cParams(), func(p [2]string) string { return p[1] })
		fmt.Fprintf(b, "\nCK_RV %s(%s)\n{\n\tif (cb_process != CB_OWN)\n\t\treturn cb_copy ? cb_copy->%s(%s) : CKR_CRYPTOKI_NOT_INITIALIZED;\n\tcb_enter();\n\treturn go_%s(%s);\n}\n",
			f.name, prototype(f.cParams()), f.name, args, f.name, args)
	}
}

// writeExports writes the Go side of every function that has no hand-written
// one: copy in, call the method of the same name, copy out.
func writeExports(b *bytes.Buffer, all []function) {
	b.WriteString(header + "package main\n\n// #include \"cryptoki.h\"\nimport \"C\"\n\nimport (\n\"cardbridge/pkcs11\"\n\"cardbridge/pkcs11/ck\"\n\"cardbridge/session\"\n)\n")
	for _, f := range all {
		if inC[f.name] || f.manual() || f.name == "C_Initialize" {
			continue
		}
		params := join(f.cParams(), func(p [2]string) string { return p[1] + " C." + p[0] })
		fmt.Fprintf(b, "\n//export go_%s\nfunc go_%s(%s) C.CK_RV {\nreturn call(%q, func(m *pkcs11.Module) error {\n", f.name, f.name, params, f.name)
		var args, results []string
		var after strings.Builder
		op := ":="
		for _, p := range f.params {
			k, name := kinds[p.kind], p.name
			if strings.Contains(k.before, refused) {
				op = "=" // err is declared
			}
			b.WriteString(expand(k.before, name))
			if k.arg != "" {
				args = append(args, expand(k.arg, name))
			}
			if k.result {
				results = append(results, name+"Go")
			}
			after.WriteString(expand(k.after, name))
		}
		callText := fmt.Sprintf("m.%s(%s)", strings.TrimPrefix(f.name, "C_"), strings.Join(args, ", "))
		if after.Len() == 0 {
			fmt.Fprintf(b, "return %s\n})\n}\n", callText)
			continue
		}
		if results = append(results, "err"); len(results) > 1 {
			op = ":="
		}
		fmt.Fprintf(b, "%s %s %s\n%sreturn err\n})\n}\n", strings.Join(results, ", "), op, callText, after.String())
	}
}

// expand puts the parameter's name into a template.
func expand(template, name string) string { return strings.ReplaceAll(template, "%[1]s", name) }
