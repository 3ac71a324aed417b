# p11-kit: the module in a process of its own, used over a socket by a program
# that knows nothing of readers.
. "$SCRIPTS/prepare.sh"
url="pkcs11:manufacturer=Yubico"
eval "$(p11-kit server --provider "$MODULE" --name "$PWD/p11.sock" "$url")"
trap 'kill $P11_KIT_SERVER_PID' EXIT
client=$(find /usr/lib -name p11-kit-client.so | head -1)
echo "sign this" >data
env -u CARDBRIDGE_READERS pkcs11-tool --module "$client" --login --pin "$PIN" --sign --mechanism SHA256-RSA-PKCS --id 03 -i data -o sig
openssl x509 -in bob.pem -pubkey -noout >pub.pem
openssl dgst -sha256 -verify pub.pem -signature sig data
