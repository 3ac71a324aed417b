# pkcs11-tool generates keys and writes certificates, as the SO. The CKA_ID says
# where on the card the key goes: 05 and 06 are the first two retired slots.
. "$(dirname "$0")/common.sh"
: "${SO_PIN:?}"
export SO_PIN
need pkcs11-tool opensc
need openssl openssl

so="--login --login-type so --so-pin env:SO_PIN"

p11 $so --keypairgen --key-type rsa:2048 --id 05 --label rsa
p11 $so --keypairgen --key-type EC:prime256v1 --id 06 --label ec
for id in 05 06; do
	public_key $id
	openssl dgst -sha256 -binary -out text.sha256 text
	case $id in 05) mechanism=SHA256-RSA-PKCS input=text ;; 06) mechanism=ECDSA input=text.sha256 ;; esac
	p11 --login --pin env:PIN --sign --id $id --mechanism $mechanism --signature-format openssl --input-file $input --output-file sig
	openssl dgst -sha256 -verify pub$id.pem -signature sig text
done

# A certificate for the new key, issued elsewhere.
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2 2>/dev/null
openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=card -out any.csr 2>/dev/null
openssl x509 -req -in any.csr -force_pubkey pub05.pem -CA ca.pem -CAkey ca.key -days 2 -outform DER -out new.der 2>/dev/null
p11 $so --write-object new.der --type cert --id 05 --label rsa
certificate 05
cmp cert05.der new.der
openssl verify -CAfile ca.pem cert05.pem
p11 $so --delete-object --type cert --id 05
if p11 --read-object --type cert --id 05 --output-file gone.der >/dev/null 2>&1; then fail "the certificate is still there"; fi
