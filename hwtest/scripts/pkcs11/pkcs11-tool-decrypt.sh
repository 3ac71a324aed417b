# OpenSSL encrypts, pkcs11-tool decrypts.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc
need openssl openssl

public_key 01
openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret -pkeyopt rsa_padding_mode:pkcs1
p11 --login --pin env:PIN --decrypt --id 01 --mechanism RSA-PKCS --input-file secret --output-file plain
cmp plain text

# OAEP with each hash.
for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
	openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$hash -pkeyopt rsa_mgf1_md:$hash
	p11 --login --pin env:PIN --decrypt --id 01 --mechanism RSA-PKCS-OAEP \
		--hash-algorithm "$(echo $hash | sed 's/^SHA1$/SHA-1/')" --mgf MGF1-$hash --input-file secret --output-file plain
	cmp plain text
done

# What was changed on the way is refused.
printf '\377' | dd of=secret bs=1 seek=100 conv=notrunc 2>/dev/null
if p11 --login --pin env:PIN --decrypt --id 01 --mechanism RSA-PKCS-OAEP --hash-algorithm SHA512 --mgf MGF1-SHA512 \
	--input-file secret --output-file plain; then fail "a changed text is decrypted"; fi
