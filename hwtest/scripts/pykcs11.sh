# PyKCS11.
. "$SCRIPTS/prepare.sh"
openssl x509 -in bob.pem -pubkey -noout >pub.pem
/usr/bin/python3 - "$MODULE" "$PIN" <<'EOF'
import sys, PyKCS11
lib = PyKCS11.PyKCS11Lib()
lib.load(sys.argv[1])
slot = lib.getSlotList(tokenPresent=True)[0]
print(lib.getTokenInfo(slot).label)
session = lib.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
session.login(sys.argv[2])
key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), (PyKCS11.CKA_ID, (3,))])[0]
signature = session.sign(key, b"sign this", PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS))
open("sig", "wb").write(bytes(signature))
pub = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY), (PyKCS11.CKA_ID, (3,))])[0]
assert session.verify(pub, b"sign this", signature, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS))
sealed = session.encrypt(pub, b"secret", PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256))
assert bytes(session.decrypt(key, sealed, PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256))) == b"secret"
assert bytes(session.digest(b"abc", PyKCS11.Mechanism(PyKCS11.CKM_SHA256))).hex().startswith("ba7816bf")
session.logout()
session.closeSession()
EOF
printf 'sign this' >data
openssl dgst -sha256 -verify pub.pem -signature sig data
