package piv

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cardbridge/card"
)

var update = flag.Bool("update", false, "write the tables of docs/cards.md anew")

func unique[K comparable](t *testing.T, what string, seen map[K]bool, k K) {
	t.Helper()
	if seen[k] {
		t.Errorf("%s %v twice", what, k)
	}
	seen[k] = true
}

func TestSlotTable(t *testing.T) {
	refs, keys, ids, names, objects := map[card.KeyRef]bool{}, map[byte]bool{}, map[byte]bool{}, map[string]bool{}, map[Tag]bool{}
	for _, s := range Slots() {
		unique(t, "ref", refs, s.Ref)
		unique(t, "key", keys, s.Key)
		unique(t, "ID", ids, s.ID)
		unique(t, "name", names, s.Name)
		unique(t, "object", objects, s.Object)
		if string(s.Ref) != fmt.Sprintf("%02x", s.Key) || s.Label == "" {
			t.Errorf("%+v", s)
		}
		for _, n := range []string{string(s.Ref), strings.ToUpper(string(s.Ref)), "0x" + string(s.Ref), s.Name} {
			if got, ok := SlotByName(n); !ok || got.Ref != s.Ref {
				t.Errorf("%q finds %v", n, got.Ref)
			}
		}
		if s.Attestation != (s.PINPolicy == card.PINUnknown) {
			t.Errorf("PIN policy of %s", s.Ref)
		}
		if objectOf(s.Object).Slot != s.Ref {
			t.Errorf("the certificate of %s has no object", s.Ref)
		}
	}
	if len(refs) != 25 {
		t.Errorf("%d slots", len(refs))
	}
	// CKA_ID, as OpenSC and ykcs11 number them.
	for ref, id := range map[card.KeyRef]byte{"9a": 1, "9c": 2, "9d": 3, "9e": 4, "82": 5, "95": 0x18, "f9": 0x19} {
		if s, _ := SlotByName(string(ref)); s.ID != id {
			t.Errorf("%s has ID %02X", ref, s.ID)
		}
	}
	if _, ok := SlotByName("9b"); ok {
		t.Error("9b is no slot")
	}
}

func TestObjectTable(t *testing.T) {
	tags, names := map[Tag]bool{}, map[string]bool{}
	for _, o := range Objects() {
		unique(t, "tag", tags, o.Tag)
		unique(t, "name", names, o.Name)
		if o.Label == "" || o.decode == nil {
			t.Errorf("%+v", o)
		}
		for _, n := range []string{o.Name, o.Tag.String(), "0x" + strings.ToLower(o.Tag.String())} {
			if got, ok := ObjectByName(n); !ok || got.Tag != o.Tag {
				t.Errorf("%q finds %v", n, got.Tag)
			}
		}
		if o.Bare != (o.Tag <= 0xFFFF) {
			t.Errorf("%s: bare", o.Name)
		}
	}
	// The objects of SP 800-73-4 part 1, table 3, and those that want the PIN.
	for tag := Tag(0x5FC101); tag <= 0x5FC123; tag++ {
		if tag != 0x5FC104 && !tags[tag] {
			t.Errorf("no %v", tag)
		}
	}
	for _, tag := range []Tag{0x5FC103, 0x5FC108, 0x5FC109, 0x5FC121, 0x5FC123} {
		if !objectOf(tag).PIN {
			t.Errorf("%v is free to read", tag)
		}
	}
	if o, ok := ObjectByName("5f1234"); !ok || o.Tag != 0x5F1234 {
		t.Errorf("%+v", o)
	}
	if _, ok := ObjectByName("nonsense"); ok {
		t.Error("nonsense found")
	}
}

func TestAlgorithmTable(t *testing.T) {
	ids, names := map[byte]bool{}, map[card.Algorithm]bool{}
	for _, r := range Algorithms() {
		unique(t, "ID", ids, r.ID)
		unique(t, "algorithm", names, r.Algorithm)
		if r.Size() == 0 {
			t.Errorf("%+v", r)
		}
	}
	for _, a := range []card.Algorithm{card.RSA1024, card.RSA2048, card.RSA3072, card.RSA4096, card.P256, card.P384, card.Ed25519, card.X25519} {
		if !names[a] {
			t.Errorf("no %s", a)
		}
	}
	for _, m := range managementTable {
		if m.size != m.algorithm.KeyLength() {
			t.Errorf("%+v", m.algorithm)
		}
		if _, err := m.cipher(make([]byte, m.size)); err != nil {
			t.Error(err)
		}
	}
}

func TestCardTable(t *testing.T) {
	names := map[string]bool{}
	for i, r := range Cards() {
		unique(t, "name", names, r.Name)
		if r.Model == "" || r.Source == "" || r.Defaults == "" || r.ManagementKey == "" {
			t.Errorf("%s is incomplete", r.Name)
		}
		// Each row is reached, by the first card that it is for.
		tmpl := template{aid: make([]byte, 6), label: r.label}
		if !r.yubico && r.label == "" {
			tmpl.aid = make([]byte, 11)
		}
		if got := rowOf(tmpl, r.from, []byte(r.atr)); got.Name != r.Name {
			t.Errorf("row %d, %s: a card of it is taken for %s", i, r.Name, got.Name)
		}
		used := map[byte]card.Algorithm{}
		for _, a := range algorithmTable {
			id, ok := r.algorithmID(a.Algorithm)
			if other, twice := used[id]; !ok || twice {
				t.Errorf("%s: %02X is %s and %s", r.Name, id, other, a.Algorithm)
			}
			used[id] = a.Algorithm
			if back, ok := r.algorithmOf(id); !ok || back.Algorithm != a.Algorithm {
				t.Errorf("%s: %02X is %s", r.Name, id, back.Algorithm)
			}
		}
	}
	if got := rowOf(template{aid: make([]byte, 6)}, card.Version{Major: 4, Minor: 3, Patch: 1}, nil); got.Name != "YubiKey 4.3" {
		t.Errorf("4.3.1 is %s", got.Name)
	}
	if got := rowOf(template{aid: make([]byte, 6)}, card.Version{Major: 6}, nil); got.Name != "YubiKey 5.7" {
		t.Errorf("6.0.0 is %s", got.Name)
	}
}

const cardsDoc = "../../docs/cards.md"

// TestCardsDoc compares the tables of docs/cards.md with those of the code.
func TestCardsDoc(t *testing.T) {
	b, err := os.ReadFile(cardsDoc)
	ok(t, err)
	before, rest, ok1 := strings.Cut(string(b), "<!-- cards -->\n")
	have, after, ok2 := strings.Cut(rest, "<!-- /cards -->")
	if !ok1 || !ok2 {
		t.Fatal("the marks are gone")
	}
	want := cardsTables()
	if *update {
		ok(t, os.WriteFile(cardsDoc, []byte(before+"<!-- cards -->\n"+want+"<!-- /cards -->"+after), 0o644))
		return
	}
	if have != want {
		t.Error("docs/cards.md does not say what the code does; -update writes it")
	}
}

func cardsTables() string {
	var b strings.Builder
	b.WriteString("| Card | Told by | From the factory | Management key | Quirks | Source |\n|---|---|---|---|---|---|\n")
	for _, r := range Cards() {
		management := string(r.ManagementKey)
		if r.AESManagement {
			management += ", may be AES"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Name, toldBy(r), r.Defaults, management, orDash(r.Quirk), orDash(r.Source))
	}
	b.WriteString("\n| Card | Vendor commands | Keys | Algorithm numbers of its own | Data object | Extended command |\n|---|---|---|---|---|---|\n")
	for _, r := range Cards() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Name, orDash(vendorCommands(r)), keysOf(r), orDash(ownNumbers(r)), bytesOf(r.MaxObject), bytesOf(r.MaxCommand))
	}
	return b.String()
}

func toldBy(r CardRow) string {
	switch {
	case r.atr != "" && r.label != "":
		return fmt.Sprintf("label %q, and %q in the ATR", r.label, r.atr)
	case r.atr != "":
		return fmt.Sprintf("as a YubiKey, and %q in the ATR", r.atr)
	case r.label != "":
		return fmt.Sprintf("label %q", r.label)
	case r.anyYubico():
		return "Yubico's answer to SELECT: AID without RID, no label"
	case r.yubico:
		return "Yubico's answer to SELECT, from version " + r.from.String()
	}
	return "nothing"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func vendorCommands(r CardRow) string {
	var all []string
	for _, f := range []struct {
		has  bool
		name string
	}{
		{r.HasVersion, "GET VERSION"},
		{r.HasSerial, "GET SERIAL"},
		{r.HasMetadata, "GET METADATA"},
		{r.HasPolicies, "policies a key"},
		{r.HasAttest, "ATTEST"},
		{r.HasImport, "IMPORT"},
		{r.HasSetAdmin, "SET MANAGEMENT KEY"},
		{r.HasRetries, "SET PIN RETRIES"},
		{r.HasReset, "RESET"},
		{r.HasMove, "MOVE and DELETE KEY"},
	} {
		if f.has {
			all = append(all, f.name)
		}
	}
	return strings.Join(all, ", ")
}

func keysOf(r CardRow) string {
	if r.Algorithms == nil {
		return "as it says"
	}
	var all []string
	for _, a := range r.Algorithms {
		all = append(all, string(a))
	}
	return strings.Join(all, ", ")
}

func ownNumbers(r CardRow) string {
	var all []string
	for a, id := range r.IDs {
		all = append(all, fmt.Sprintf("%s %02X", a, id))
	}
	slices.Sort(all)
	var old []string
	for a, id := range r.OldIDs {
		old = append(old, fmt.Sprintf("%s %02X", a, id))
	}
	if slices.Sort(old); len(old) > 0 {
		all = append(all, "with older firmware "+strings.Join(old, ", "))
	}
	return strings.Join(all, ", ")
}

func bytesOf(n int) string {
	if n == 0 {
		return "not known"
	}
	return fmt.Sprintf("%d bytes", n)
}
