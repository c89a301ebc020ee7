#!/bin/sh
# After removal, or when dpkg purges the package. What the node has downloaded and knows
# is the user's and stays, and with it the user shoal, who owns it.
set -e

case "${1:-}" in
upgrade | failed-upgrade | abort-install | abort-upgrade | disappear | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ -d /var/lib/shoal ]; then
	echo "shoal: /var/lib/shoal stays, with the downloads and the state of the node"
fi
