# shellcheck shell=bash
# jq 1.6 takes 30 ms before it begins, gojq 3: no small part of what all tests take.  gojq sorts the
# members of objects, so what looks at their order is jq's: by these options, or asked as `command jq`.
if command -v gojq >/dev/null; then
	jq() {
		case $* in
		*keys_unsorted* | *-S* | *-cS*) command jq "$@" ;;
		*) gojq "$@" ;;
		esac
	}
fi
