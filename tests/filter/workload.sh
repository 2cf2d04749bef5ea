#!/bin/sh
# What scripts do, under a level's filter.
set -e
d=$(mktemp -d)
cd "$d"
for i in 1 2 3; do echo $i; done | sort -r | tail -n 1 >x
test "$(cat x)" = 1
(sleep 0.01 & wait)
cp -a x y
mv y z
ln -s z l
mkfifo f
chmod 755 z
touch z
tar cf - x z | tar tf - >/dev/null
find . -name x -print0 | xargs -0 cat >/dev/null
sed -i s/1/2/ x
grep -q 2 x
timeout 5 true
stat -f . >/dev/null
df . >/dev/null
id >/dev/null
dd if=/dev/zero of=q bs=1k count=3 2>/dev/null
# shellcheck disable=SC3045 # dash, bash and busybox have it
ulimit -n 64
nice true
setsid true
trap 'echo caught >got' USR1
kill -USR1 $$
test "$(cat got)" = caught
if command -v git >/dev/null; then
	git init -q r
	git -C r -c user.name=a -c user.email=b commit -q --allow-empty -m x
	git -C r log --oneline | grep -q x
fi
cd /
rm -rf "$d"
echo ok
