#!/usr/bin/env bats
load helpers
# Doors to the machine that somebody asks to be opened

@test "a socket of the machine as a volume is refused at standard and high" {
	local level

	receiver tty
	: >"$B/rootfs/door"
	config --arg s "$T/tty.sock" \
		'.mounts += [{"destination":"/door","type":"bind","source":$s,"options":["rbind"]}]'
	for level in standard high; do
		BR=("$BRIG" --level "$level" --root "$R")
		refused 'door' run -b "$B" "$ID"
	done
}
