# pkcs11-tool signs, OpenSSL verifies.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc
need openssl openssl

for id in 01 02 03; do public_key $id; done

# A file, hashed by the module.
p11 --login --pin env:PIN --sign --id 01 --mechanism SHA256-RSA-PKCS --input-file text --output-file sig
openssl dgst -sha256 -verify pub01.pem -signature sig text

# ECDSA signs a hash. --signature-format openssl is the form that others read.
openssl dgst -sha256 -binary -out hash text
p11 --login --pin env:PIN --sign --id 03 --mechanism ECDSA --signature-format openssl --input-file hash --output-file sig
openssl dgst -sha256 -verify pub03.pem -signature sig text

sign() { # ID MECHANISM INPUT [OPTION...]
	id=$1 mechanism=$2 input=$3
	shift 3
	p11 --login --pin env:PIN --sign --id "$id" --mechanism "$mechanism" --input-file "$input" --output-file sig "$@"
}

# Every other mechanism of RSA keys.
for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
	sign 01 $hash-RSA-PKCS text
	openssl dgst -$hash -verify pub01.pem -signature sig text
done
for hash in SHA256 SHA384 SHA512; do
	sign 01 $hash-RSA-PKCS-PSS text
	openssl dgst -$hash -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify pub01.pem -signature sig text
done
sign 01 RSA-PKCS-PSS hash --hash-algorithm SHA256 --mgf MGF1-SHA256 --salt-len 20
openssl pkeyutl -verify -pubin -inkey pub01.pem -in hash -sigfile sig \
	-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20
sign 01 RSA-PKCS hash # no DigestInfo: whatever the caller gives
openssl pkeyutl -verify -pubin -inkey pub01.pem -in hash -sigfile sig -pkeyopt rsa_padding_mode:pkcs1
{ printf '\0'; head -c 255 /dev/zero | tr '\0' 1; } >block
sign 01 RSA-X-509 block
openssl rsautl -verify -raw -pubin -inkey pub01.pem -in sig 2>/dev/null | cmp - block

# ECDSA with longer hashes, and with the key that wants the PIN each time.
for id in 02 03; do
	for hash in sha256 sha384 sha512; do
		openssl dgst -$hash -binary -out hash text
		sign $id ECDSA hash --signature-format openssl
		openssl dgst -$hash -verify pub$id.pem -signature sig text
	done
done
