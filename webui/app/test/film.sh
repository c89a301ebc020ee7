#!/bin/sh
# film.sh FILE TIMES
#
# Makes a film of three parts, red, green and blue, each of 2 seconds that are repeated
# TIMES times: with 10, it is a minute and about 150 MB. Seeking to a part shows its colour.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for colour in red green blue; do
	ffmpeg -v error -f lavfi -i "color=$colour:size=640x360:rate=25:duration=2,noise=alls=30:allf=t" -f lavfi -i "sine=frequency=440:duration=2" \
		-c:v libx264 -preset ultrafast -crf 23 -g 25 -pix_fmt yuv420p -c:a aac -shortest "$dir/$colour.ts"
	i=0
	while [ "$i" -lt "$2" ]; do
		echo "file '$dir/$colour.ts'" >>"$dir/list"
		i=$((i + 1))
	done
done
ffmpeg -v error -y -f concat -safe 0 -i "$dir/list" -c copy -movflags +faststart "$1"
