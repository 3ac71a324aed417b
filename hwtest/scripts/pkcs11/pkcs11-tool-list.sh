# pkcs11-tool: slots, mechanisms, objects.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc

p11 --list-slots
p11 --list-token-slots | grep -q 'token label'
p11 --list-mechanisms >mechanisms
grep -q '^ *ECDSA, .*sign' mechanisms
grep -q '^ *RSA-PKCS, .*decrypt.*sign' mechanisms

# Certificates and public keys need no PIN.
p11 --list-objects >public
for id in 01 02 03; do
	[ "$(grep -c "ID: *$id\$" public)" -eq 2 ] || fail "not a certificate and a public key with ID $id: $(cat public)"
done
if grep -q 'Private Key' public; then fail "a private key without login"; fi

p11 --login --pin env:PIN --list-objects >all
[ "$(grep -c 'Private Key Object' all)" -ge 3 ] || fail "not three private keys: $(cat all)"
p11 --login --pin env:PIN --list-objects --type privkey >private
sed -n '/Private Key/,/ID:/p' private
