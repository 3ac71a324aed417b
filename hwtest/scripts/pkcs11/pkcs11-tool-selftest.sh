# pkcs11-tool's own tests.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc

p11 --login --pin env:PIN --test >test.out
cat test.out
grep -q '^No errors' test.out

# Initialises the module in the parent and again in a child.
p11 --test-fork

# Threads that initialise (IL), list slots (SL), ask for information (GI) and for
# the token's (T0), all at once with the main program, which has more to do and
# ends last. Only one of them can be the first to initialise.
p11 --login --pin env:PIN --test --test-threads IL:SL:GI:T0 --test-threads IN:SL:T0 >threads.out 2>&1
cat threads.out
if grep 'returned CKR_' threads.out | grep -v 'CKR_OK\|CKR_CRYPTOKI_ALREADY_INITIALIZED'; then fail "--test-threads"; fi
[ "$(grep -c 'thread:[01] state:.*rv:CKR_OK' threads.out)" -ge 2 ] || fail "--test-threads"

# Elliptic curves: generates a key, signs, deletes it again. On a card the SO
# generates; key 04 (9E) then signs without the user's PIN.
export SO_PIN
p11 --login --login-type so --so-pin env:SO_PIN --session-rw --test-ec --id 04 --key-type EC:prime256v1
