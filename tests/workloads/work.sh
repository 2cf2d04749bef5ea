#!/bin/sh
# What scripts do, inside a sandbox: work.sh shell|compiler|git|busybox...
set -eu
work=$(mktemp -d)
cd "$work"

shell() {
	for i in 3 1 2; do echo $i; done | sort | tr '\n' ' ' >x
	test "$(cat x)" = "1 2 3 "
	(sleep 0.01 & wait)
	tar cf - x | gzip | gunzip | tar tf - >/dev/null
	find . -name x -print0 | xargs -0 sed -i s/1/9/
	grep -q 9 x
	test "$(echo '3 4' | awk '{print $1 * $2}')" = 12
	cp x y && ln -s y l && mv y z && chmod 700 z && touch -d 2020-01-01 z && mkfifo f
	timeout 5 true
	test "$(id -u)" = 1000
	trap 'echo caught >got' USR1
	kill -USR1 $$
	test "$(cat got)" = caught
	df . >/dev/null
	ps_own=$(sh -c 'readlink /proc/self/exe')
	test "$ps_own"
}

compiler() {
	printf '#include <pthread.h>\n#include <stdio.h>\n%s\n%s\n' \
		'static void *one(void *n) { ++*(int *)n; return NULL; }' \
		'int main(void) { int n = 0; pthread_t t;
			pthread_create(&t, NULL, one, &n); pthread_join(t, NULL); printf("%d\n", n); return n + 2; }' >a.c
	gcc -O2 -Wall -c a.c
	ar rc liba.a a.o
	gcc -o a a.o -pthread
	rc=0
	./a >out || rc=$?
	test "$rc" = 3
	gcc -static -o s a.c
	rc=0
	./s >/dev/null || rc=$?
	test "$rc" = 3
}

git() {
	export HOME="$work" GIT_PAGER=cat
	mkdir git
	cd git
	command git init -q -b main a
	command git -C a config user.name n
	command git -C a config user.email e@example.org
	echo 1 >a/f
	command git -C a add f
	command git -C a commit -q -m one
	command git clone -q a b
	command git -C b log --oneline | grep -q one
	command git -C a checkout -q -b side
	echo 2 >a/f
	command git -C a commit -q -a -m two
	command git -C b fetch -q origin side
	command git -C b -c user.name=n -c user.email=e@example.org merge -q FETCH_HEAD
	test "$(cat b/f)" = 2
	command git -C b gc -q
	command git -C b fsck >/dev/null 2>&1
}

busybox() {
	mkdir -p "$work/busybox"
	cd "$work/busybox"
	command busybox sh -c 'busybox seq 5 | busybox sha256sum | busybox cut -c1-8' >sum
	test "$(cat sum)" = "$(seq 5 | sha256sum | cut -c1-8)"
	command busybox tar czf a.tgz sum
	command busybox tar tzf a.tgz | command busybox grep -q sum
	command busybox timeout 5 busybox sleep 0
	printf '%s\n' 'GET / HTTP/1.0' '' >req
	command busybox httpd -f -p 127.0.0.1:8080 -h . &
	for _ in 1 2 3 4 5 6 7 8 9; do
		command busybox wget -q -O got http://127.0.0.1:8080/sum 2>/dev/null && break
		sleep 0.05
	done
	kill $!
	cmp sum got
}

for what; do
	"$what"
	echo "$what ok"
done
echo "cpus $(nproc)"
cd /
rm -rf "$work"
echo ok
