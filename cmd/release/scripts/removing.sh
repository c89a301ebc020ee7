#!/bin/sh
# Before removal. An upgrade comes here, too: from dpkg with a word for it, from rpm
# with the number of versions that remain. Then the node runs on until the new version
# is in place.
set -e

case "${1:-}" in
upgrade | failed-upgrade | deconfigure | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now shoal.service shoal-web-link.socket || true
elif command -v rc-service >/dev/null; then
	rc-service --ifstarted shoal stop || true
	rc-update delete shoal || true
fi
