# pkcs11-tool signs, OpenSSL verifies.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc
need openssl openssl

sign() { # ID MECHANISM [OPTION...]
	id=$1 mechanism=$2
	shift 2
	echo "$mechanism with key $id"
	p11 --login --pin env:PIN --sign --id "$id" --mechanism "$mechanism" --input-file "$input" --output-file sig "$@" >sign.out 2>&1 ||
		{ cat sign.out; fail "$mechanism with key $id"; }
}

for id in 01 02 03; do public_key $id; done
for hash in sha256 sha384 sha512; do openssl dgst -$hash -binary -out text.$hash text; done

# RSA: the module hashes, then the caller does.
input=text
for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
	sign 01 $hash-RSA-PKCS
	openssl dgst -$hash -verify pub01.pem -signature sig text
done
for hash in SHA256 SHA384 SHA512; do
	sign 01 $hash-RSA-PKCS-PSS
	openssl dgst -$hash -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify pub01.pem -signature sig text
done
input=text.sha256
sign 01 RSA-PKCS-PSS --hash-algorithm SHA256 --mgf MGF1-SHA256 --salt-len 20
openssl pkeyutl -verify -pubin -inkey pub01.pem -in text.sha256 -sigfile sig \
	-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20
sign 01 RSA-PKCS # no DigestInfo: whatever the caller gives
openssl pkeyutl -verify -pubin -inkey pub01.pem -in text.sha256 -sigfile sig -pkeyopt rsa_padding_mode:pkcs1
head -c 255 /dev/zero | tr '\0' '1' >block && { printf '\0'; cat block; } >raw
input=raw
sign 01 RSA-X-509
openssl rsautl -verify -raw -pubin -inkey pub01.pem -in sig 2>/dev/null | cmp - raw

# ECDSA, with the key that wants the PIN each time too.
for id in 02 03; do
	for hash in sha256 sha384 sha512; do
		input=text.$hash
		sign $id ECDSA --signature-format openssl
		openssl dgst -$hash -verify pub$id.pem -signature sig text
	done
done
