#!/bin/sh
# After installation and after an upgrade, for dpkg, rpm and apk alike: what is there
# already stays as it is.
set -e

if ! getent group shoal >/dev/null 2>&1; then
	if command -v groupadd >/dev/null; then groupadd --system shoal; else addgroup -S shoal; fi
fi
if ! getent passwd shoal >/dev/null 2>&1; then
	if command -v useradd >/dev/null; then
		nologin=/usr/sbin/nologin
		[ -x "$nologin" ] || nologin=/sbin/nologin
		useradd --system --gid shoal --home-dir /var/lib/shoal --no-create-home --shell "$nologin" --comment shoal shoal
	else
		adduser -S -D -H -h /var/lib/shoal -s /sbin/nologin -G shoal -g shoal shoal
	fi
fi
# The members of the group shoal can read downloads; the node makes its state private.
if [ ! -d /var/lib/shoal ]; then
	mkdir -m 0750 /var/lib/shoal
	chown shoal:shoal /var/lib/shoal
fi
if [ ! -d /var/lib/shoal/downloads ]; then
	mkdir -m 0750 /var/lib/shoal/downloads
	chown shoal:shoal /var/lib/shoal/downloads
fi

# A node that runs goes on with the new version; one that does not is not started.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	systemctl try-restart shoal.service || true
elif command -v rc-service >/dev/null; then
	rc-service --ifstarted shoal restart || true
fi
