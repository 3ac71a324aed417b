# GnuTLS's p11tool: list, test a signature, generate.
. "$SCRIPTS/prepare.sh"
export GNUTLS_PIN="$PIN" GNUTLS_SO_PIN="$SO_PIN"
p11tool --provider "$MODULE" --list-tokens | tee tokens
url=$(sed -n 's/.*URL: //p' tokens | head -1)
p11tool --provider "$MODULE" --list-all-certs "$url" | grep 'Label: X.509 Certificate for PIV Authentication'
p11tool --provider "$MODULE" --login --list-all "$url" >all
grep -q 'Type: Private key (EC/ECDSA)' all
grep -q 'Type: Private key (RSA-2048)' all
p11tool --provider "$MODULE" --login --test-sign "$url;id=%01;type=private" | tee sign
p11tool --provider "$MODULE" --login --test-sign "$url;id=%03;type=private" --hash SHA256 --sign-params RSA-PSS
p11tool --provider "$MODULE" --so-login --generate-privkey=ecdsa --curve=secp384r1 --id=02 --label new "$url" --outfile new.pem
openssl pkey -pubin -in new.pem -noout -text | grep 'P-384'
