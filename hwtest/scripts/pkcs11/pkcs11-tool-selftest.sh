# pkcs11-tool's own tests.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc

p11 --login --pin env:PIN --test >test.out 2>&1 || { cat test.out; fail "--test"; }
if grep -qi 'ERR:\|errors$' test.out && ! grep -q '^No errors' test.out; then cat test.out; fail "--test finds errors"; fi
tail -n 1 test.out

# Initialises the module in the parent and again in a child.
p11 --test-fork >fork.out 2>&1 || { cat fork.out; fail "--test-fork"; }

# Two threads: each initialises (IN), lists slots (GL) and asks for token information (TI).
p11 --test-threads IN:GL:TI:FI --test-threads IN:GL:TI:FI >threads.out 2>&1 || { cat threads.out; fail "--test-threads"; }
