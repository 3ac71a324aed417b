# Python's PyKCS11: objects, signatures, decryption; OpenSSL verifies.
. "$(dirname "$0")/common.sh"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import PyKCS11' 2>/dev/null || { echo "skipped: no PyKCS11, install python3-pykcs11" >&2; exit 77; }
need openssl openssl
need pkcs11-tool opensc

public_key 01
public_key 03
openssl pkeyutl -encrypt -pubin -inkey pub01.pem -in text -out secret -pkeyopt rsa_padding_mode:oaep
cat >card.py <<'END'
import os
from PyKCS11 import *

lib = PyKCS11Lib()
lib.load(os.environ["MODULE"])
label = os.environ.get("LABEL")
slot = next(s for s in lib.getSlotList(tokenPresent=True)
            if not label or lib.getTokenInfo(s).label.strip() == label)
session = lib.openSession(slot)
assert session.getSessionInfo().state == CKS_RO_PUBLIC_SESSION
assert session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_PRIVATE, True)]) == []
session.login(os.environ["PIN"])

def key(id):
    return session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_ID, (id,))])[0]

text = open("text", "rb").read()
open("sig01", "wb").write(bytes(session.sign(key(1), text, Mechanism(CKM_SHA256_RSA_PKCS, None))))
pss = RSA_PSS_Mechanism(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32)
open("pss01", "wb").write(bytes(session.sign(key(1), text, pss)))
hashed = bytes(session.digest(text, Mechanism(CKM_SHA256, None)))
raw = bytes(session.sign(key(3), hashed, Mechanism(CKM_ECDSA, None)))

def integer(b):
    b = b.lstrip(b"\0") or b"\0"
    b = b"\0" + b if b[0] & 0x80 else b
    return bytes([2, len(b)]) + b
der = integer(raw[:32]) + integer(raw[32:])
open("sig03", "wb").write(bytes([0x30, len(der)]) + der)

oaep = RSAOAEPMechanism(CKM_SHA_1, CKG_MGF1_SHA1)
assert bytes(session.decrypt(key(1), open("secret", "rb").read(), oaep)) == text
for o in session.findObjects([(CKA_CLASS, CKO_CERTIFICATE)]):
    print(session.getAttributeValue(o, [CKA_ID, CKA_LABEL]))
session.logout()
assert session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_PRIVATE, True)]) == []
session.closeSession()
END
"$python" card.py
openssl dgst -sha256 -verify pub01.pem -signature sig01 text
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -verify pub01.pem -signature pss01 text
openssl dgst -sha256 -verify pub03.pem -signature sig03 text
