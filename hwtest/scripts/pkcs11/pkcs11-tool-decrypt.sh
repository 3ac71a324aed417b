# OpenSSL encrypts, pkcs11-tool decrypts.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc
need openssl openssl

decrypt() { # MECHANISM [OPTION...]
	mechanism=$1
	shift
	echo "$mechanism $*"
	p11 --login --pin env:PIN --decrypt --id 01 --mechanism "$mechanism" --input-file secret --output-file plain "$@" >decrypt.out 2>&1 ||
		{ cat decrypt.out; fail "$mechanism"; }
	cmp plain text
}

public_key 01
openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret -pkeyopt rsa_padding_mode:pkcs1
decrypt RSA-PKCS
for hash in sha1 sha224 sha256 sha384 sha512; do
	openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$hash -pkeyopt rsa_mgf1_md:$hash
	name=$(echo $hash | tr a-z A-Z | sed 's/SHA1/SHA-1/')
	decrypt RSA-PKCS-OAEP --hash-algorithm "$name" --mgf "MGF1-$(echo $hash | tr a-z A-Z)"
done

# What was changed on the way is refused.
printf '\377' | dd of=secret bs=1 seek=100 conv=notrunc 2>/dev/null
if p11 --login --pin env:PIN --decrypt --id 01 --mechanism RSA-PKCS-OAEP --hash-algorithm SHA512 --mgf MGF1-SHA512 \
	--input-file secret --output-file plain >/dev/null 2>&1; then fail "a changed text is decrypted"; fi
