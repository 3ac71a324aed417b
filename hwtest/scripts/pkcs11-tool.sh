# OpenSC's pkcs11-tool: look, generate, sign, decrypt, derive, write, change the
# PIN and unblock it. OpenSSL checks what the card made.
p11() { pkcs11-tool --module "$MODULE" "$@"; }
so="--login --login-type so --so-pin $SO_PIN"
user="--login --pin $PIN"

p11 --list-slots
p11 --list-mechanisms | grep -q 'RSA-PKCS-PSS.*sign'
p11 $so --keypairgen --key-type EC:prime256v1 --id 01
p11 $so --keypairgen --key-type EC:secp384r1 --id 02
p11 $so --keypairgen --key-type rsa:2048 --id 03
p11 $so --keypairgen --key-type rsa:2048 --id 04
p11 --list-objects
p11 $user --test

echo "sign this" >data
openssl dgst -sha256 -binary data >digest
for id in 01 03 04; do
	p11 --read-object --type pubkey --id $id -o pub$id.der
	openssl pkey -pubin -inform DER -in pub$id.der -out pub$id.pem
done
# ECDSA; --signature-format openssl gives the form that OpenSSL reads.
p11 $user --sign --mechanism ECDSA-SHA256 --id 01 --signature-format openssl -i data -o sig
openssl dgst -sha256 -verify pub01.pem -signature sig data
# Key 02 (9c) asks for the PIN each time. (pkcs11-tool 0.23 reads no public key on
# P-384; GnuTLS does.)
GNUTLS_PIN="$PIN" p11tool --provider "$MODULE" --login --export-pubkey 'pkcs11:id=%02;type=public' --outfile pub02.pem
printf '%s\n' "$PIN" >answer
p11 $user --sign --mechanism ECDSA-SHA384 --id 02 --signature-format openssl -i data -o sig <answer
openssl dgst -sha384 -verify pub02.pem -signature sig data
# RSA: PKCS #1 v1.5 and PSS, hashed here or by the module.
p11 $user --sign --mechanism SHA256-RSA-PKCS --id 03 -i data -o sig
openssl dgst -sha256 -verify pub03.pem -signature sig data
p11 $user --sign --mechanism RSA-PKCS-PSS --hash-algorithm SHA256 --id 03 -i digest -o sig
openssl pkeyutl -verify -pubin -inkey pub03.pem -in digest -sigfile sig -pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha256
# Key 04 (9e) asks for no PIN; pkcs11-tool does.
p11 $user --sign --mechanism SHA512-RSA-PKCS --id 04 -i data -o sig
openssl dgst -sha512 -verify pub04.pem -signature sig data

openssl pkeyutl -encrypt -pubin -inkey pub03.pem -in data -out sealed
p11 $user --decrypt --mechanism RSA-PKCS --id 03 -i sealed | cmp - data
openssl pkeyutl -encrypt -pubin -inkey pub03.pem -in data -out sealed -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256
p11 $user --decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA256 --id 03 -i sealed | cmp - data

openssl ecparam -name prime256v1 -genkey -noout -out peer.pem
openssl pkey -in peer.pem -pubout -outform DER -out peer.der
p11 $user --derive --mechanism ECDH1-DERIVE --id 01 -i peer.der -o shared
openssl pkeyutl -derive -inkey peer.pem -peerkey pub01.pem | cmp - shared

openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=Carol -outform DER -out carol.der 2>log
p11 $so --write-object carol.der --type cert --id 03
p11 --read-object --type cert --id 03 | cmp - carol.der
p11 $so --delete-object --type cert --id 03
# A key pair brought along: the private half picks the slot by --id.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER -out k.der
p11 $so --write-object k.der --type privkey --id 05
p11 $user --sign --mechanism ECDSA-SHA256 --id 05 --signature-format openssl -i data -o sig
openssl pkey -inform DER -in k.der -pubout -out k.pem
openssl dgst -sha256 -verify k.pem -signature sig data

p11 --change-pin --pin "$PIN" --new-pin "$OTHER_PIN" --login
for wrong in 111111 222222; do ! p11 --login --pin $wrong --list-objects >log 2>&1; done
p11 --list-slots | grep 'final user PIN try'
! p11 --login --pin 333333 --list-objects >log 2>&1
p11 --list-slots | grep 'user PIN locked'
# The PUK unblocks the PIN, given as the SO's ...
p11 --login --login-type so --so-pin "$PUK" --init-pin --new-pin "$PIN"
p11 --login --pin "$PIN" --sign --mechanism ECDSA --id 01 -i digest -o sig
