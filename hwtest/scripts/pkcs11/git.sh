# git: a commit signed by the card through ssh-agent, and verified.
. "$(dirname "$0")/common.sh"
need git git
need ssh-agent openssh-client

ssh-keygen -D "$MODULE" >keys
head -n 1 keys >key.pub
real=$(readlink -f "$MODULE")
eval "$(ssh-agent -P "$real")" >/dev/null
trap 'kill $SSH_AGENT_PID 2>/dev/null' EXIT
printf '#!/bin/sh\necho "$PIN"\n' >askpass
chmod 700 askpass
SSH_ASKPASS=$PWD/askpass SSH_ASKPASS_REQUIRE=force ssh-add -s "$real"

export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
git init -q repository
cd repository
git config user.name me
git config user.email me@example.org
git config gpg.format ssh
git config user.signingKey "$PWD/../key.pub"
cp ../text .
git add text
git commit -q -S -m 'signed by the card'

echo "me@example.org $(cat ../key.pub)" >../signers
git config gpg.ssh.allowedSignersFile "$PWD/../signers"
git verify-commit HEAD 2>&1 | tee ../verified
grep -q 'Good "git" signature for me@example.org' ../verified || fail "not verified"
