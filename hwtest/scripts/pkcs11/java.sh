# Java's SunPKCS11: keytool lists, jarsigner signs, a TLS client logs in.
. "$(dirname "$0")/common.sh"
need keytool openjdk-17-jdk-headless
need jarsigner openjdk-17-jdk-headless
need openssl openssl
need pkcs11-tool opensc
PORT=${PORT:-4435}
export JAVA_TOOL_OPTIONS=-XX:-UsePerfData # which would leave a folder in /tmp

printf 'name = card\nlibrary = %s\n' "$MODULE" >card.cfg
store="-storetype PKCS11 -addprovider SunPKCS11 -providerArg card.cfg"
keytool -list $store -storepass:env PIN >list
cat list
[ "$(grep -c PrivateKeyEntry list)" -ge 3 ] || fail "not three keys"

# jarsigner wants the name of one; the certificates tell which.
certificate 01
fingerprint=$(openssl x509 -in cert01.pem -noout -fingerprint -sha256 | cut -d= -f2)
alias=$(grep -B 1 "$fingerprint" list | head -n 1 | sed 's/, PrivateKeyEntry.*//')
[ -n "$alias" ] || fail "no entry with the fingerprint of certificate 01"
mkdir -p jar && cp text jar/
jar cf text.jar -C jar text
jarsigner $store -storepass:env PIN -sigalg SHA256withRSA text.jar "$alias"
jarsigner -verify text.jar | grep -q 'jar verified'

cat >Login.java <<'END'
import java.io.FileInputStream;
import java.net.Socket;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

// Logs in to a TLS server with the key whose certificate is given.
class Login {
  public static void main(String[] args) throws Exception {
    Provider card = Security.getProvider("SunPKCS11").configure("card.cfg");
    Security.addProvider(card);
    KeyStore keys = KeyStore.getInstance("PKCS11", card);
    keys.load(null, System.getenv("PIN").toCharArray());
    var factory = CertificateFactory.getInstance("X.509");
    X509Certificate mine = (X509Certificate) factory.generateCertificate(new FileInputStream(args[1]));
    String alias = keys.getCertificateAlias(mine);

    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("server", factory.generateCertificate(new FileInputStream("server.pem")));
    var trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    var km = KeyManagerFactory.getInstance("SunX509");
    km.init(keys, null);
    var all = (X509KeyManager) km.getKeyManagers()[0];
    var one = new X509ExtendedKeyManager() {
      public String chooseClientAlias(String[] types, Principal[] issuers, Socket s) { return alias; }
      public X509Certificate[] getCertificateChain(String a) { return all.getCertificateChain(a); }
      public PrivateKey getPrivateKey(String a) { return all.getPrivateKey(a); }
      public String[] getClientAliases(String t, Principal[] i) { return new String[] {alias}; }
      public String[] getServerAliases(String t, Principal[] i) { return null; }
      public String chooseServerAlias(String t, Principal[] i, Socket s) { return null; }
    };
    var context = SSLContext.getInstance("TLS");
    context.init(new KeyManager[] {one}, trust.getTrustManagers(), null);
    try (var s = (SSLSocket) context.getSocketFactory().createSocket("localhost", Integer.parseInt(args[0]))) {
      s.setEnabledProtocols(new String[] {args[2]});
      s.startHandshake();
      s.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes());
      System.out.write(s.getInputStream().readAllBytes());
      System.out.flush();
    }
  }
}
END
for id in 01 03; do certificate $id; done
cat cert01.pem cert03.pem >clients.pem
tls_server "$PORT" clients.pem
for id in 01 03; do
	for version in TLSv1.2 TLSv1.3; do
		java Login.java "$PORT" cert$id.pem $version >page
		named page cert$id.der || fail "$version with key $id: the server saw no certificate"
		echo "$version with key $id"
	done
done
tls_server_ends
