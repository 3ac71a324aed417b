# OpenSSH: the public keys, an agent that holds the card, a real login.
# sshd here is one of our own on a port of the loopback.
. "$(dirname "$0")/common.sh"
need ssh openssh-client
need ssh-agent openssh-client
need pkcs11-tool opensc
need openssl openssl
sshd=$(command -v sshd || echo /usr/sbin/sshd)
[ -x "$sshd" ] || need sshd openssh-server
PORT=${PORT:-4022}

ssh-keygen -D "$MODULE" >authorized_keys
grep -q ssh-rsa authorized_keys
[ "$(grep -c ecdsa-sha2-nistp256 authorized_keys)" -ge 2 ]

# The agent loads only modules its -P allows, and names them by their real path.
real=$(readlink -f "$MODULE")
eval "$(ssh-agent -P "$real")" >/dev/null
sshd_pid=
trap 'kill $SSH_AGENT_PID $sshd_pid 2>/dev/null' EXIT

# ssh-add asks a program for the PIN.
printf '#!/bin/sh\necho "$PIN"\n' >askpass
chmod 700 askpass
SSH_ASKPASS=$PWD/askpass SSH_ASKPASS_REQUIRE=force ssh-add -s "$real"
ssh-add -L >agent_keys
[ "$(wc -l <agent_keys)" -ge 3 ]

ssh-keygen -q -t ed25519 -N '' -f host_key
chmod 600 authorized_keys
cat >sshd_config <<END
Port $PORT
ListenAddress 127.0.0.1
HostKey $PWD/host_key
AuthorizedKeysFile $PWD/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
END
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
"$sshd" -D -e -f sshd_config 2>sshd.log &
sshd_pid=$!
await_port "$PORT"

echo "[127.0.0.1]:$PORT $(cat host_key.pub)" >known_hosts
login() { ssh -n -F none -p "$PORT" -o BatchMode=yes -o UserKnownHostsFile=known_hosts -o IdentitiesOnly=yes "$@" "$(id -un)@127.0.0.1" echo logged in; }
for id in 01 03; do
	public_key $id
	ssh-keygen -i -m PKCS8 -f pub$id.pem >identity$id.pub
	grep -q "$(cut -d' ' -f2 identity$id.pub)" agent_keys || fail "the agent has no key $id"
	login -o IdentityFile=identity$id.pub || { cat sshd.log; fail "no login with key $id"; }
done

# And without an agent: ssh itself loads the module and asks for the PIN.
(unset SSH_AUTH_SOCK; SSH_ASKPASS=$PWD/askpass SSH_ASKPASS_REQUIRE=force ssh -F none -p "$PORT" -o UserKnownHostsFile=known_hosts \
	-o PKCS11Provider="$MODULE" "$(id -un)@127.0.0.1" echo logged in without an agent)

# The agent signs files too, and ssh-keygen verifies.
ssh-keygen -q -Y sign -f identity01.pub -n file text
echo "me $(cat identity01.pub)" >signers
ssh-keygen -Y verify -f signers -I me -n file -s text.sig <text

ssh-add -e "$real"
if ssh-add -L >/dev/null; then fail "the agent still has keys"; fi
