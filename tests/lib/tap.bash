# shellcheck shell=bash
# failed_tests TAP: the names of its failed tests as regular expressions for bats --filter, a line each;
# lines "# file FILE" stay as they are.
failed_tests() {
	sed -nE '/^# file /p; /^not ok [0-9]+ /{ s///; s/ in [0-9]+ms$//; s/[][().*+?{}|^$\\]/\\&/g; s/^.*$/^&$/p; }' "$1"
}
