// Text from strangers: made safe to show, compared, and read for links.

// Names come from strangers. They are only used as text nodes. What could turn the
// direction of the text around them, or break the line, is made visible; joiners
// stay, since Persian, Hindi and families of emoji are written with them.
const turning = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** shown makes a name from the network safe to display. A long one loses its middle, never half a letter. */
export function shown(name: string, longest = 400): string {
  const safe = name.replace(turning, '\ufffd')
  if (safe.length <= longest) return safe
  let start = 0
  let end = safe.length
  for (const { index, segment } of letters.segment(safe)) {
    if (index + segment.length <= longest / 2) start = index + segment.length
    if (index >= safe.length - longest / 4) {
      end = index
      break
    }
  }
  return safe.slice(0, start) + ' … ' + safe.slice(end)
}

/** fold prepares text for searching: no case, no accents. */
export function fold(s: string): string {
  return s.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

/** shell quotes one word for a POSIX shell. */
export function shell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** key finds the key of a sealed share in a link. */
const key = /[?&]x\.k=([0-9a-f]{64})(?=&|$)/i

/** hasKey reports whether a link has the key of a sealed share. */
export const hasKey = (link: string): boolean => key.test(link.trim())

/** mayHaveKey reports whether a text has the key of a sealed share or channel, or is a damaged link with one. */
export const mayHaveKey = (text: string): boolean => /x(?:\.|%(?:25)*2e)k/i.test(text)

/** names reports whether a link is a magnet link of the content with one of these IDs. */
export const names = (link: string, ids: readonly (string | undefined)[]): boolean =>
  [...link.matchAll(/xt=urn:bt(?:ih:([0-9a-f]{40})|mh:1220([0-9a-f]{64}))/gi)].some((m) => ids.includes((m[1] ?? m[2])!.toLowerCase()))

/** blind is a link of the node without the key of a sealed share and what only its readers need. */
export function blind(link: string): string {
  const [scheme, query = ''] = link.split('?')
  return `${scheme}?${query.split('&').filter((p) => /^(xt|xl|tr|ws|x\.pe)=/.test(p)).join('&')}`
}

/** isChannel reports whether a link names a channel (BEP 46) rather than content. */
export const isChannel = (text: string): boolean => /^\s*magnet:\?\S*xs=urn:btpk:[0-9a-f]{64}\S*\s*$/i.test(text)

/** links finds magnet links, IDs and torrent URLs in pasted text. */
export function links(text: string): string[] {
  const found: string[] = []
  for (const word of text.split(/[\s<>"]+/)) {
    if (/^magnet:\?/i.test(word) || /^[0-9a-f]{40}$/i.test(word) || /^[a-z2-7]{32}$/i.test(word) || /^https?:\/\/\S+$/i.test(word)) {
      if (!found.includes(word)) found.push(word)
    }
  }
  return found
}
