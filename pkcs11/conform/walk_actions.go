//go:build linux && cgo

package conform

import (
	"fmt"

	p11 "github.com/miekg/pkcs11"
)

// actions are what a walk does. The three numbers of a step choose session, object or template, and manner.
var actions = []action{
	{"open", 10, func(w *walker, s step) outcome {
		flags := pick([]uint{RW, RO, RW, RO, RW, RO, RW, RO, 0, p11.CKF_RW_SESSION}, s.a)
		h, rv := w.c.Open(w.slot, flags)
		if rv == p11.CKR_OK {
			w.sessions = append(w.sessions, h)
		}
		return code(rv)
	}},
	{"close", 4, func(w *walker, s step) outcome { return code(w.c.CloseSession(w.session(s.a))) }},
	{"close all", 1, func(w *walker, s step) outcome {
		if s.a%4 == 0 {
			return code(w.c.CloseAll(0x7fffffff))
		}
		return code(w.c.CloseAll(w.slot))
	}},
	{"info", 5, func(w *walker, s step) outcome {
		_, state, flags, rv := w.c.SessionInfo(w.session(s.a))
		if rv != p11.CKR_OK {
			return code(rv)
		}
		return outcome{rv, fmt.Sprintf("%s %d", stateNames[state], flags)}
	}},
	{"login", 8, walkLogin},
	{"logout", 3, func(w *walker, s step) outcome { return code(w.c.Logout(w.session(s.a))) }},
	{"create", 12, func(w *walker, s step) outcome {
		t := pick(walkTemplates, s.b)
		h, rv := w.c.Create(w.session(s.a), t.attrs...)
		w.made(h, rv, t.name)
		return outcome{rv, "with " + t.name}
	}},
	{"copy", 3, func(w *walker, s step) outcome {
		change := pick([][]Attr{nil, {A(p11.CKA_LABEL, "copy")}, {A(p11.CKA_CLASS, uint(p11.CKO_DATA))}, {A(p11.CKA_PRIVATE, true)}}, s.c)
		if o := w.object(s.b); w.walkObject(s.b) != o { // a token would keep its copy
			change = append([]Attr{A(p11.CKA_TOKEN, false)}, change...)
		}
		h, rv := w.c.Copy(w.session(s.a), w.object(s.b), change...)
		w.made(h, rv, "copy")
		return code(rv)
	}},
	{"destroy", 4, func(w *walker, s step) outcome {
		return code(w.c.Destroy(w.session(s.a), w.walkObject(s.b)))
	}},
	{"size", 1, func(w *walker, s step) outcome {
		return code(w.c.Call("C_GetObjectSize", N(w.session(s.a)), N(w.object(s.b)), InOut(N(0))).RV)
	}},
	{"get", 12, walkGet},
	{"set", 5, func(w *walker, s step) outcome {
		change := pick(walkChanges, s.c)
		return outcome{w.c.Set(w.session(s.a), w.walkObject(s.b), change.attr), change.name}
	}},
	{"find init", 8, func(w *walker, s step) outcome {
		session := w.session(s.a)
		rv := w.c.FindInit(session, pick(walkSearches, s.b)...)
		if rv == p11.CKR_OK {
			w.unique[session] = len(pick(walkSearches, s.b)) == 2 && pick(walkSearches, s.b)[1].Type == p11.CKA_ID
		}
		return code(rv)
	}},
	{"find", 10, func(w *walker, s step) outcome {
		session := w.session(s.a)
		h, rv := w.c.FindNext(session, uint(s.b%5))
		for _, o := range h {
			if w.unique[session] { // of several that match each module may tell another first
				w.made(o, rv, "found")
			}
		}
		return outcome{rv, fmt.Sprint(len(h))}
	}},
	{"find final", 5, func(w *walker, s step) outcome { return code(w.c.FindFinal(w.session(s.a))) }},
	{"begin", 20, func(w *walker, s step) outcome {
		f := pick([]string{"C_DigestInit", "C_SignInit", "C_VerifyInit", "C_EncryptInit", "C_DecryptInit"}, s.c)
		m := pick(walkMechanisms, s.c/5+s.a)
		return outcome{w.c.begin(f, w.session(s.a), m.arg, w.object(s.b)), f + " " + m.name}
	}},
	{"fitting begin", 25, walkFitting},
	{"work", 25, walkWork},
	{"feed", 12, func(w *walker, s step) outcome {
		f := pick([]string{"C_DigestUpdate", "C_SignUpdate", "C_VerifyUpdate"}, s.b)
		return outcome{w.c.feed(f, w.session(s.a), pick(walkInputs, s.c)), f}
	}},
	{"finish", 12, func(w *walker, s step) outcome {
		f := pick([]string{"C_DigestFinal", "C_SignFinal", "C_EncryptFinal", "C_DecryptFinal"}, s.b)
		room := pick([]uint{600, 600, 600, 3}, s.c)
		r := w.c.Call(f, N(w.session(s.a)), Out(room), InOut(N(room)))
		return outcome{r.RV, f + " " + w.deterministic(f, r)}
	}},
	{"verify", 6, func(w *walker, s step) outcome {
		sig := w.mac
		if s.c%3 == 0 || sig == nil {
			sig = make([]byte, pick([]int{32, 5, 64, 256}, s.c))
		}
		if s.b%4 == 0 {
			return outcome{w.c.feed("C_VerifyFinal", w.session(s.a), sig), "C_VerifyFinal"}
		}
		in := pick(walkInputs, s.b)
		return code(w.c.Call("C_Verify", N(w.session(s.a)), In(in), N(uint(len(in))), In(sig), N(uint(len(sig)))).RV)
	}},
	{"random", 2, func(w *walker, s step) outcome {
		n := uint(s.b % 40)
		return code(w.c.Call("C_GenerateRandom", N(w.session(s.a)), Out(n), N(n)).RV)
	}},
	{"generate key", 3, func(w *walker, s step) outcome {
		size := pick([]uint{16, 32, 5}, s.b)
		t := []Attr{A(p11.CKA_VALUE_LEN, size), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, s.c%3 == 0), A(p11.CKA_LABEL, "walk"), A(p11.CKA_ENCRYPT, true), A(p11.CKA_DECRYPT, true)}
		r := w.c.Call("C_GenerateKey", N(w.session(s.a)), Mech(p11.CKM_AES_KEY_GEN), Template(t), N(uint(len(t))), InOut(N(0)))
		w.made(r.Outs[0].Words[0], r.RV, "generated AES")
		w.chance = w.chance || r.RV == p11.CKR_OK
		return code(r.RV)
	}},
}

// walkObject is an object a walk may change: the keys and certificates of the token must outlive it.
func (w *walker) walkObject(n int) uint {
	h := w.object(n)
	for i, o := range w.objects {
		if o == h && w.kinds[i] == "found" {
			return 0xfffffd
		}
	}
	return h
}

func walkLogin(w *walker, s step) outcome {
	session, user := w.session(s.a), pick([]uint{User, User, User, User, SO, SO, Context, 77}, s.b)
	right := map[uint]string{User: w.tg.PIN, SO: w.tg.SOPIN, Context: w.tg.PIN, 77: w.tg.PIN}[user]
	if s.c%6 == 0 && w.wrong == 0 && user == User {
		w.wrong++ // never two in a row: a token would lock
		return outcome{w.c.Login(session, user, "999999"), "wrong PIN"}
	}
	rv := w.c.Login(session, user, right)
	if rv == p11.CKR_OK && user == User {
		w.wrong = 0
	}
	return outcome{rv, map[uint]string{User: "user", SO: "SO", Context: "context", 77: "nobody"}[user]}
}

func walkGet(w *walker, s step) outcome {
	a := pick(walkAttributes, s.c)
	session, object := w.session(s.a), w.object(s.b)
	switch s.c / len(walkAttributes) % 5 {
	case 0: // the length only
		r := w.c.Call("C_GetAttributeValue", N(session), N(object), InOut(N(a.typ), Null, N(0)), N(1))
		n := r.Outs[0].Words[2]
		if a.typ == p11.CKA_VALUE || a.typ == p11.CKA_LABEL { // a certificate's or a key's own
			n = 0
		}
		return outcome{r.RV, fmt.Sprint(a.name, " length ", int(n))}
	case 1: // too short
		r := w.c.Call("C_GetAttributeValue", N(session), N(object), InOut(N(a.typ), Out(0), N(0)), N(1))
		return outcome{r.RV, a.name + " short"}
	}
	b, rv := w.c.Get(session, object, a.typ)
	if a.typ == p11.CKA_MODIFIABLE && w.walkObject(s.b) != object || w.chance || len(b) > 32 || a.typ == p11.CKA_LABEL && string(b) != "walk" {
		b = nil // what the token's own objects hold is not compared
	}
	return outcome{rv, fmt.Sprintf("%s %x", a.name, b)}
}

// walkFitting starts an operation that the last object of a fitting kind can do, so that walks get far.
func walkFitting(w *walker, s step) outcome {
	type fit struct{ function, mechanism string }
	fits := map[string][]fit{
		"AES":  {{"C_EncryptInit", "AES_ECB"}, {"C_EncryptInit", "AES_CBC"}, {"C_EncryptInit", "AES_CBC_PAD"}, {"C_DecryptInit", "AES_CBC_PAD"}, {"C_DecryptInit", "AES_CBC"}},
		"HMAC": {{"C_SignInit", "SHA256_HMAC"}, {"C_VerifyInit", "SHA256_HMAC"}},
	}
	for i := len(w.objects) - 1; i >= 0; i-- {
		if f := fits[w.kinds[i]]; f != nil && s.b%3 != 0 {
			k := pick(f, s.c)
			return outcome{w.c.begin(k.function, w.session(s.a), mechanismNamed(k.mechanism), w.objects[i]), k.function + " " + k.mechanism}
		}
	}
	return outcome{w.c.begin("C_DigestInit", w.session(s.a), Mech(p11.CKM_SHA256), 0), "C_DigestInit"}
}

func mechanismNamed(name string) Arg {
	for _, m := range walkMechanisms {
		if m.name == name {
			return m.arg
		}
	}
	panic(name)
}

func walkWork(w *walker, s step) outcome {
	f := pick([]string{"C_Digest", "C_Sign", "C_Encrypt", "C_Decrypt", "C_EncryptUpdate", "C_DecryptUpdate", "C_Digest", "C_Sign"}, s.b)
	in := pick(walkInputs, s.c)
	if (f == "C_Decrypt" || f == "C_DecryptUpdate") && w.secret != nil && s.c%2 == 0 {
		in = w.secret
	}
	session := w.session(s.a)
	switch s.c / len(walkInputs) % 6 {
	case 0:
		_, rv := w.c.workLength(f, session, in)
		return outcome{rv, f + " length"}
	case 1:
		r := w.c.Call(f, N(session), In(in), N(uint(len(in))), Out(3), InOut(N(3)))
		return outcome{r.RV, f + " short"}
	}
	r := w.c.Call(f, N(session), In(in), N(uint(len(in))), Out(600), InOut(N(600)))
	if r.RV == p11.CKR_OK {
		out := r.Outs[0].Bytes[:r.Outs[1].Words[0]]
		switch f {
		case "C_Sign":
			w.mac = out
		case "C_Encrypt":
			w.secret = out
		}
	}
	return outcome{r.RV, f + " " + w.deterministic(f, r)}
}

// deterministic tells an output that any two modules must agree in: all that walks compute but with keys made by chance
// and with the token's own.
func (w *walker) deterministic(f string, r Result) string {
	if w.chance || r.RV != p11.CKR_OK || (f == "C_Sign" || f == "C_SignFinal") && r.Outs[1].Words[0] > 32 {
		return ""
	}
	return fmt.Sprintf("%x", r.Outs[0].Bytes[:r.Outs[1].Words[0]])
}
