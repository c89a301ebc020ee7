#!/bin/sh
# The main job of shoal on real files: one process shares the files of this
# repository, another one, with a state of its own, fetches them by the link
# alone, and the two copies are compared. Nothing leaves this machine, and
# nothing stays behind. Ends with 0 only if both copies are the same.
set -eu

repo=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/shoal-demo.XXXXXX")
sharer=
finish() {
	status=$?
	trap - EXIT INT TERM
	[ -z "$sharer" ] || { kill "$sharer" 2>/dev/null || :; wait "$sharer" 2>/dev/null || :; }
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n%s\n' "$*"; }
fail() {
	printf '\nThis did not work: %s\n' "$*" >&2
	[ ! -s "$work/share.err" ] || { echo 'The sharing side said:'; cat "$work/share.err"; } >&2
	exit 1
}

say "Building shoal."
(cd "$repo" && CGO_ENABLED=0 go build -o "$work/shoal" ./cmd/shoal)

# What is shared: the files of this repository without its history and what was built.
mkdir "$work/here"
(cd "$repo" && tar -cf - --exclude ./.git --exclude node_modules --exclude ./shoal --exclude ./bin --exclude ./dist .) |
	tar -xf - -C "$work/here"
mv "$work/here" "$work/shoal-source"

# Two nodes on the loopback interface that look for nobody else, whatever is
# configured for this user.
for v in $(env | sed -n 's/^\(SHOAL_[A-Z0-9_]*\)=.*/\1/p'); do unset "$v"; done
export SHOAL_LISTEN='[::1]:0' SHOAL_BOOTSTRAP=none SHOAL_NO_LAN=true
export XDG_CONFIG_HOME="$work/config" XDG_STATE_HOME="$work/state"

say "One process shares a folder of $(find "$work/shoal-source" -type f | wc -l | tr -d ' ') files:"
echo "  \$ shoal share shoal-source"
"$work/shoal" share --state "$work/a" "$work/shoal-source" >"$work/link" 2>"$work/share.err" &
sharer=$!
tries=0
until [ -s "$work/link" ]; do
	kill -0 "$sharer" 2>/dev/null || fail "the sharing process ended"
	tries=$((tries + 1))
	[ "$tries" -lt 600 ] || fail "there was no link after a minute"
	sleep 0.1
done
link=$(cat "$work/link")
echo "  $link"

say "Another process, which knows nothing but this link, fetches it:"
echo "  \$ shoal get --output elsewhere 'magnet:…'"
mkdir "$work/elsewhere"
"$work/shoal" get --state "$work/b" --output "$work/elsewhere" --timeout 60s "$link" >"$work/path" ||
	fail "the files did not arrive"

say "Comparing both copies, file by file:"
diff -r "$work/shoal-source" "$(cat "$work/path")" || fail "the copies differ"
echo "  the same: $(find "$(cat "$work/path")" -type f | wc -l | tr -d ' ') files, every byte"

kill "$sharer"
wait "$sharer" || [ $? -eq 130 ] || fail "the sharing process did not end well"
sharer=
say "Done. To pass on a folder of your own: shoal share FOLDER"
