package sotest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// rawCalls is what the fuzzer passes for parameters that have a C type of their
// own.
var rawCalls = map[string]string{
	"CK_VOID_PTR": "NULL", "CK_INFO_PTR": "at(sizeof(CK_INFO))", "CK_FUNCTION_LIST_PTR_PTR": "at(8)", "CK_SLOT_ID_PTR": "at(8*n)",
	"CK_ULONG_PTR": "&n", "CK_SLOT_INFO_PTR": "at(sizeof(CK_SLOT_INFO))", "CK_TOKEN_INFO_PTR": "at(sizeof(CK_TOKEN_INFO))", "CK_MECHANISM_TYPE_PTR": "at(8*n)",
	"CK_MECHANISM_INFO_PTR": "at(24)", "CK_UTF8CHAR_PTR": "at(32)", "CK_NOTIFY": "NULL", "CK_SESSION_HANDLE_PTR": "given", "CK_SESSION_INFO_PTR": "at(sizeof(CK_SESSION_INFO))",
	"CK_INTERFACE_PTR": "at(24*n)", "CK_VERSION_PTR": "NULL", "CK_INTERFACE_PTR_PTR": "at(8)", "CK_FLAGS_PTR": "at(8)", "CK_ASYNC_DATA_PTR": "at(40)",
}

// calls writes calls.h: a case for each function.
func calls(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../ck/gen/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	n := 0
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || !strings.HasPrefix(f[0], "C_") || f[0] == "C_GetInterface" {
			continue
		}
		var args, before []string
		after := ""
		for i, p := range f[1:] {
			_, kind, _ := strings.Cut(p, ":")
			kind, raw, _ := strings.Cut(kind, "=")
			v := "b" + strconv.Itoa(i)
			simple := map[string]string{
				"session": "session()", "object": "object()", "slot": "slot()", "ulong": "ulong_()", "flags": "flags()", "user": "user()",
				"mechtype": "mechs[rnd(40)]", "bool": "rnd(2)", "mechanism": "mechanism()",
			}[kind]
			switch kind {
			case "in", "text", "param", "buffer":
				maker := map[string]string{"buffer": "in"}[kind]
				if maker == "" {
					maker = kind
				}
				before = append(before, fmt.Sprintf("struct bytes %s = %s();", v, maker))
				args = append(args, v+".p", v+".n")
			case "out":
				before = append(before, fmt.Sprintf("struct bytes %s = out(); CK_ULONG *%sn = rnd(30) ? &%s.n : NULL;", v, v, v))
				args = append(args, v+".p", v+"n")
			case "template":
				before = append(before, fmt.Sprintf("CK_ULONG %sn; CK_ATTRIBUTE *%s = template_(&%sn);", v, v, v))
				if strings.Count(line, ":template") == 2 { // one static array: the second is the first
					args = append(args, v, v+"n")
					continue
				}
				args = append(args, v, v+"n")
			case "newobject":
				args = append(args, fmt.Sprintf("rnd(30) ? &given[%d] : NULL", strings.Count(after, "remember")))
				after += fmt.Sprintf("if (rv == CKR_OK && given[%d]) remember(objects, &nobjects, 64, given[%d]);", strings.Count(after, "given[0])"), strings.Count(after, "given[0])"))
			case "raw":
				switch {
				case raw == "CK_ATTRIBUTE_PTR":
					before = append(before, "CK_ATTRIBUTE *t = template_(&c1);")
					args = append(args, "t")
				case f[0] == "C_GetAttributeValue":
				case raw == "CK_OBJECT_HANDLE_PTR":
					before = append(before, "CK_ULONG found[8], most = rnd(9);")
					args = append(args, "found")
					after += "if (rv == CKR_OK) for (CK_ULONG k = 0; k < n; k++) remember(objects, &nobjects, 64, found[k]);"
				case raw == "CK_BYTE_PTR": // of C_SignMessageNext and C_VerifyMessageNext
					before = append(before, "CK_BYTE *sig = rnd(3) ? at_end(n) : NULL;")
					args = append(args, "sig")
				default:
					expr := rawCalls[raw]
					if strings.HasPrefix(expr, "at(") {
						expr = "rnd(20) ? at_end" + expr[2:] + " : NULL"
					}
					args = append(args, expr)
				}
			default:
				args = append(args, simple)
			}
			// Lengths that belong to a pointer before them.
			switch {
			case f[0] == "C_GetAttributeValue" && strings.HasPrefix(p, "count:"):
				args[len(args)-1] = "c1"
			case f[0] == "C_FindObjects" && strings.HasPrefix(p, "max:"):
				args[len(args)-1] = "most"
			case f[0] == "C_VerifyMessageNext" && strings.HasPrefix(p, "length:"):
				args[len(args)-1] = "sig ? n : 0"
			case f[0] == "C_WaitForSlotEvent" && strings.HasPrefix(p, "flags:"):
				args[len(args)-1] = "1" // CKF_DONT_BLOCK
			}
		}
		if f[0] == "C_Finalize" || f[0] == "C_CloseAllSessions" {
			before = append(before, "if (rnd(40)) { rv = 1; break; }")
		}
		if f[0] == "C_OpenSession" {
			after += "if (rv == CKR_OK) remember(sessions, &nsessions, 32, given[0]);"
		}
		fmt.Fprintf(&b, "case %d: { %s rv = p11->%s(%s); %s break; }\n", n, strings.Join(before, " "), f[0], strings.Join(args, ", "), after)
		n++
	}
	fmt.Fprintf(&b, "default: rv = 1;\n")
	return fmt.Sprintf("/* made by fuzz_test.go */\n%s", b.String()) + "\n/* CALLS " + strconv.Itoa(n) + " */\n"
}

// kept are seeds that once found something.
var kept = []uint64{1, 2, 3}

// A fuzzer of the whole C interface: no crash, no hang, no growth. FUZZ_SEED
// and FUZZ_CALLS run one seed for longer.
func TestFuzz(t *testing.T) {
	text := calls(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "calls.h"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := text[strings.Index(text, "/* CALLS ")+9:]
	n = n[:strings.IndexByte(n, ' ')]
	program := filepath.Join(dir, "fuzz")
	cc := exec.Command("cc", "-Wall", "-O1", "-g", "-I../so", "-I"+dir, "-DCALLS="+n, "-o", program, "testdata/fuzz.c", "-ldl")
	if msg, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	seeds, count := kept, "60000"
	if s := os.Getenv("FUZZ_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	if c := os.Getenv("FUZZ_CALLS"); c != "" {
		count = c
	}
	for _, seed := range seeds {
		newCard(t)
		if out := run(t, program, hwtest.Module(t), strconv.FormatUint(seed, 10), count); out != "ok\n" {
			t.Errorf("seed %d: %s", seed, out)
		}
	}
}
