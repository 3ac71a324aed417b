# What the other scripts begin with: keys and certificates on a fresh card.
#
#   9a (CKA_ID 01)  P-256, certificate CN=Alice
#   9d (CKA_ID 03)  RSA-2048, certificate CN=Bob
#
# MODULE is cardbridge-pkcs11.so, PIN and SO_PIN are the card's.
p11() { pkcs11-tool --module "$MODULE" "$@"; }
quietly() { "$@" >log 2>&1 || { cat log; return 1; }; }

quietly p11 --login --login-type so --so-pin "$SO_PIN" --keypairgen --key-type EC:prime256v1 --id 01
quietly p11 --login --login-type so --so-pin "$SO_PIN" --keypairgen --key-type rsa:2048 --id 03
export PIN
"$CARDTOOL" cert self-sign 9a --subject CN=Alice --pin-env PIN --factory-admin-key --key-usage digitalSignature --ext-key-usage clientAuth,codeSigning -o alice.pem --reader "$READER" 2>log || { cat log; exit 1; }
"$CARDTOOL" cert self-sign 9d --subject CN=Bob --pin-env PIN --factory-admin-key --key-usage digitalSignature,keyEncipherment --ext-key-usage clientAuth,codeSigning,serverAuth --san dns:localhost -o bob.pem --reader "$READER" 2>log || { cat log; exit 1; }
