# p11-kit: a server holds the module, and a second program uses the card through
# a socket with p11-kit-client.so: in a container, or on another machine (ssh -R).
. "$(dirname "$0")/common.sh"
need p11-kit p11-kit
need pkcs11-tool opensc
need openssl openssl
client=$(ls /usr/lib/*/pkcs11/p11-kit-client.so /usr/lib64/pkcs11/p11-kit-client.so 2>/dev/null | head -n 1)
[ -n "$client" ] || { echo "skipped: no p11-kit-client.so, install p11-kit-modules" >&2; exit 77; }

public_key 01
public_key 03
mkdir -p run
eval "$(p11-kit server --provider "$MODULE" --name "$PWD/run/socket" "${TOKEN:-pkcs11:}")"
trap 'kill $P11_KIT_SERVER_PID 2>/dev/null' EXIT
echo "$P11_KIT_SERVER_ADDRESS"

# The second program knows the socket only.
remote() { env P11_KIT_SERVER_ADDRESS="$P11_KIT_SERVER_ADDRESS" pkcs11-tool --module "$client" "$@"; }
remote --list-token-slots | grep 'token label'
remote --login --pin env:PIN --sign --id 01 --mechanism SHA256-RSA-PKCS --input-file text --output-file sig
openssl dgst -sha256 -verify pub01.pem -signature sig text
openssl dgst -sha256 -binary -out hash text
remote --login --pin env:PIN --sign --id 03 --mechanism ECDSA --signature-format openssl --input-file hash --output-file sig
openssl dgst -sha256 -verify pub03.pem -signature sig text
kill "$P11_KIT_SERVER_PID"
trap - EXIT
