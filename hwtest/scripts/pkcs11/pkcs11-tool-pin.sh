# pkcs11-tool changes the PIN, blocks it and unblocks it with the PUK.
. "$(dirname "$0")/common.sh"
: "${PUK:?}"
need pkcs11-tool opensc

export PUK NEW=654321 WRONG=000000
works() { p11 --login --pin "env:$1" --list-objects --type privkey 2>&1 | grep -q 'Private Key Object'; }

works PIN || fail "the PIN does not work"
p11 --change-pin --pin env:PIN --new-pin env:NEW
works NEW || fail "the new PIN does not work"
p11 --change-pin --pin env:NEW --new-pin env:PIN
works PIN || fail "the old PIN does not work again"

# Each wrong PIN costs a try; the token says when few are left.
if works WRONG; then fail "a wrong PIN works"; fi
p11 --list-token-slots | grep -q 'user PIN count low' || fail "the token does not say that a try is gone"
works PIN || fail "the PIN does not work after a wrong one"

# Blocked, and unblocked with the PUK.
for _ in 1 2 3; do if works WRONG; then fail "a wrong PIN works"; fi; done
p11 --list-token-slots | grep -q 'user PIN locked' || fail "the token does not say that the PIN is blocked"
if works PIN; then fail "a blocked PIN works"; fi
p11 --unlock-pin --puk env:PUK --new-pin env:PIN
works PIN || fail "the PIN does not work after unblocking"
