//go:build linux && cgo

package conform

import (
	"fmt"
	"math/rand/v2"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

// step is one call of a random walk. Its numbers choose among what the walk has made so far, so that the same steps mean
// the same thing to two modules whatever handles they give.
type step struct {
	call    string
	a, b, c int
}

func (s step) String() string { return fmt.Sprintf("%s(%d, %d, %d)", s.call, s.a, s.b, s.c) }

// outcome is what a step gave: the code, and what else two modules must agree in.
type outcome struct {
	rv     RV
	detail string
}

func (o outcome) String() string { return strings.TrimSpace(o.rv.String() + " " + o.detail) }

// walker takes steps at one module.
type walker struct {
	tg       *Target
	c        Caller
	slot     uint
	sessions []uint
	objects  []uint
	kinds    []string      // of objects, for the report
	unique   map[uint]bool // sessions with a search for one object
	wrong    int           // wrong user PINs since the last right one
	mac      []byte        // the last MAC or signature, to be verified
	secret   []byte        // the last cipher text
	chance   bool          // a key was made by chance: what is computed from here on need not agree
}

func newWalker(tg *Target, a *App) (*walker, error) {
	w := &walker{tg: tg, c: a.Caller, unique: map[uint]bool{}}
	if rv := a.Initialize(); rv != p11.CKR_OK {
		return nil, fmt.Errorf("C_Initialize: %v", rv)
	}
	slot, err := tg.findSlot(a)
	w.slot = slot
	return w, err
}

// session picks one of the last sessions, now and then one that is not.
func (w *walker) session(n int) uint {
	if n%23 == 0 {
		return []uint{0, 0xffffff}[n/23%2]
	}
	if len(w.sessions) == 0 {
		return 0xfffffe
	}
	last := min(4, len(w.sessions))
	return w.sessions[len(w.sessions)-1-n%last]
}

func (w *walker) object(n int) uint {
	if n%29 == 0 {
		return []uint{0, 0xffffff}[n/29%2]
	}
	if len(w.objects) == 0 {
		return 0xfffffe
	}
	last := min(8, len(w.objects))
	return w.objects[len(w.objects)-1-n%last]
}

func (w *walker) made(h uint, rv RV, kind string) {
	if rv == p11.CKR_OK {
		w.objects, w.kinds = append(w.objects, h), append(w.kinds, kind)
	}
}

// action is a kind of step: how often it is taken and what it does.
type action struct {
	name   string
	weight int
	do     func(w *walker, s step) outcome
}

func code(rv RV) outcome { return outcome{rv: rv} }

// mechanisms a walk tries, some of them wrong for the key or the function.
var walkMechanisms = []struct {
	name string
	arg  Arg
}{
	{"SHA256", Mech(p11.CKM_SHA256)},
	{"SHA256_HMAC", Mech(p11.CKM_SHA256_HMAC)},
	{"AES_ECB", Mech(p11.CKM_AES_ECB)},
	{"AES_CBC", cbc()},
	{"AES_CBC_PAD", Mechanism(p11.CKM_AES_CBC_PAD, In(make([]byte, 16)), 16)},
	{"AES_CBC short IV", Mechanism(p11.CKM_AES_CBC, In(make([]byte, 5)), 5)},
	{"RSA_PKCS", Mech(p11.CKM_RSA_PKCS)},
	{"SHA256_RSA_PKCS", Mech(p11.CKM_SHA256_RSA_PKCS)},
	{"ECDSA", Mech(p11.CKM_ECDSA)},
	{"unknown", Mech(0x7ffffff1)},
}

var walkInputs = [][]byte{[]byte("sixteen bytes at"), []byte("abc"), []byte("exactly thirty-two bytes of text"), {}, []byte(strings.Repeat("long ", 80))}

var walkTemplates = []struct {
	name  string
	attrs []Attr
}{
	{"public data", data(false, false, "walk")},
	{"private data", data(false, true, "walk")},
	{"AES", []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_AES)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SENSITIVE, false), A(p11.CKA_EXTRACTABLE, true), A(p11.CKA_ENCRYPT, true), A(p11.CKA_DECRYPT, true), A(p11.CKA_LABEL, "walk"), A(p11.CKA_VALUE, []byte("sixteen byte key"))}},
	{"private AES", []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_AES)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, true), A(p11.CKA_ENCRYPT, true), A(p11.CKA_DECRYPT, true), A(p11.CKA_LABEL, "walk"), A(p11.CKA_VALUE, []byte("sixteen byte key"))}},
	{"HMAC", []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_GENERIC_SECRET)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SENSITIVE, false), A(p11.CKA_EXTRACTABLE, true), A(p11.CKA_SIGN, true), A(p11.CKA_VERIFY, true), A(p11.CKA_LABEL, "walk"), A(p11.CKA_VALUE, []byte("exactly thirty-two bytes of text"))}},
	{"fixed data", append(data(false, false, "walk"), A(p11.CKA_MODIFIABLE, false))},
	{"no class", []Attr{A(p11.CKA_TOKEN, false), A(p11.CKA_LABEL, "walk")}},
	{"a class that is not", []Attr{A(p11.CKA_CLASS, 0x7ffffff2), A(p11.CKA_TOKEN, false)}},
	{"AES of a wrong size", []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_AES)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_VALUE, []byte("five!"))}},
	{"CKA_TOKEN of two bytes", []Attr{A(p11.CKA_CLASS, uint(p11.CKO_DATA)), A(p11.CKA_TOKEN, []byte{0, 0}), A(p11.CKA_PRIVATE, false)}},
	{"empty", nil},
}

var walkAttributes = []struct {
	name string
	typ  uint
}{
	{"CKA_LABEL", p11.CKA_LABEL},
	{"CKA_CLASS", p11.CKA_CLASS},
	{"CKA_PRIVATE", p11.CKA_PRIVATE},
	{"CKA_TOKEN", p11.CKA_TOKEN},
	{"CKA_VALUE", p11.CKA_VALUE},
	{"CKA_VALUE_LEN", p11.CKA_VALUE_LEN},
	{"CKA_KEY_TYPE", p11.CKA_KEY_TYPE},
	{"CKA_MODIFIABLE", p11.CKA_MODIFIABLE},
	{"CKA_SENSITIVE", p11.CKA_SENSITIVE},
	{"CKA_ID", p11.CKA_ID},
	{"CKA_SIGN", p11.CKA_SIGN},
	{"unknown", 0x7ffffff3},
}

var walkChanges = []struct {
	name string
	attr Attr
}{
	{"CKA_LABEL", A(p11.CKA_LABEL, "changed")},
	{"CKA_CLASS", A(p11.CKA_CLASS, uint(p11.CKO_DATA))},
	{"CKA_TOKEN", A(p11.CKA_TOKEN, true)},
	{"CKA_PRIVATE", A(p11.CKA_PRIVATE, true)},
	{"unknown", A(0x7ffffff3, []byte{1})},
	{"CKA_SENSITIVE", A(p11.CKA_SENSITIVE, true)},
	{"CKA_SENSITIVE", A(p11.CKA_SENSITIVE, false)},
	{"CKA_EXTRACTABLE", A(p11.CKA_EXTRACTABLE, false)},
}

var walkSearches = [][]Attr{
	{A(p11.CKA_LABEL, "walk")},
	{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_ID, []byte{RSAKey})},
	{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_ID, []byte{ECKey})},
	{A(p11.CKA_CLASS, uint(p11.CKO_PUBLIC_KEY)), A(p11.CKA_ID, []byte{RSAKey})},
	{A(p11.CKA_CLASS, uint(p11.CKO_CERTIFICATE)), A(p11.CKA_ID, []byte{ECKey})},
	{A(p11.CKA_CLASS, uint(p11.CKO_DATA)), A(p11.CKA_LABEL, "changed")},
}

// pick indexes with any number.
func pick[T any](list []T, n int) T { return list[n%len(list)] }

func (w *walker) take(s step) outcome { return actionOf[s.call].do(w, s) }

var actionOf = map[string]*action{}

func init() {
	for i := range actions {
		actionOf[actions[i].name] = &actions[i]
	}
}

// randomSteps makes a walk that begins with a session.
func randomSteps(r *rand.Rand, n int) []step {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	steps := []step{{"open", r.IntN(1000), 0, 0}}
	for len(steps) < n {
		k := r.IntN(total)
		for _, a := range actions {
			if k -= a.weight; k < 0 {
				steps = append(steps, step{a.name, r.IntN(1000), r.IntN(1000), r.IntN(1000)})
				break
			}
		}
	}
	return steps
}
