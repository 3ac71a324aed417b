# GnuTLS: p11tool lists, tests signatures and generates; certtool uses a key.
. "$(dirname "$0")/common.sh"
need p11tool gnutls-bin
need certtool gnutls-bin
need openssl openssl

# GnuTLS reads PINs from the environment.
export GNUTLS_PIN="$PIN" GNUTLS_SO_PIN="${SO_PIN:-}"
gnutls() { p11tool --provider "$MODULE" --batch "$@"; }

# The token's URL, by its label if LABEL says which.
token=$(gnutls --list-token-urls | grep "${LABEL:+token=$LABEL}" | head -n 1)
[ -n "$token" ] || fail "no token"
echo "$token"

gnutls --list-all "$token" >public
[ "$(grep -c 'Type: X.509' public)" -ge 3 ] || fail "not three certificates: $(cat public)"
gnutls --login --list-privkeys --only-urls "$token" >keys
[ "$(grep -c type=private keys)" -ge 3 ] || fail "not three private keys: $(cat keys)"
gnutls --list-mechanisms "$token" | grep -q CKM_ECDSA

# Signs and verifies with the public key on the card.
gnutls --login --test-sign "$token;id=%01;type=private"
gnutls --login --test-sign "$token;id=%03;type=private"

# A request for a certificate, signed by the card, judged by OpenSSL.
printf 'cn = "card"\nsigning_key\n' >template
for id in 01 03; do
	certtool --provider "$MODULE" --generate-request --template template --outfile request.pem \
		--load-privkey "$token;id=%$id;type=private" --load-pubkey "$token;id=%$id;type=public"
	openssl req -verify -noout -in request.pem
done

# A new key: on a card, the SO's work.
gnutls --so-login --generate-privkey ecdsa --curve secp256r1 --id 07 --label new --outfile new.pem "$token"
openssl pkey -pubin -in new.pem -noout
gnutls --login --test-sign "$token;id=%07;type=private"
