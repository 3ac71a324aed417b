# ECDH: pkcs11-tool on the card's side, OpenSSL on the other; both must come to
# the same secret.
. "$(dirname "$0")/common.sh"
need pkcs11-tool opensc
need openssl openssl

public_key 03
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem
openssl pkey -in other.pem -pubout -outform DER -out other.der
openssl pkeyutl -derive -inkey other.pem -peerkey pub03.pem -out theirs
p11 --login --pin env:PIN --derive --id 03 --mechanism ECDH1-DERIVE --input-file other.der --output-file ours
cmp ours theirs
