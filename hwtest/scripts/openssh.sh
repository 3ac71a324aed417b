# OpenSSH: public keys with ssh-keygen -D, and a login through ssh-agent to an
# sshd of our own.
. "$SCRIPTS/prepare.sh"
ssh-keygen -D "$MODULE" | tee keys
grep -q '^ecdsa-sha2-nistp256 ' keys && grep -q '^ssh-rsa ' keys

ssh-keygen -q -t ed25519 -N '' -f host
grep '^ecdsa' keys >authorized
mkdir -p /run/sshd
cat >sshd_config <<EOF
Port $SSH_PORT
ListenAddress 127.0.0.1
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
PidFile $PWD/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
EOF
/usr/sbin/sshd -f sshd_config -E sshd.log
trap 'kill $(cat sshd.pid); ssh-agent -k >/dev/null' EXIT
eval "$(ssh-agent -P "$MODULE")" >/dev/null
# ssh-add asks for the PIN by the program that SSH_ASKPASS names.
printf '#!/bin/sh\necho "$PIN"\n' >askpass && chmod 700 askpass
export PIN SSH_ASKPASS="$PWD/askpass" SSH_ASKPASS_REQUIRE=force DISPLAY=none
ssh-add -s "$MODULE"
ssh-add -L | grep ecdsa-sha2-nistp256
# On a chrooted or containerised machine sshd's login needs no more than this.
ssh -F none -p "$SSH_PORT" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=known \
	-o IdentityFile=none "$(id -un)@127.0.0.1" echo "logged in with a card" | tee said
grep -q 'logged in with a card' said
# And without an agent, the module in ssh itself.
grep '^ssh-rsa' keys >authorized
ssh -F none -p "$SSH_PORT" -o PKCS11Provider="$MODULE" -o IdentityAgent=none -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile=known "$(id -un)@127.0.0.1" echo "again" | grep again
