// What the text of a scanned QR code means.
import { isChannel, links, shown } from './text'

/** Held is the content of a scanned QR code. Anyone can print a code, so the text is not trusted. */
export interface Held {
  kind: 'channel' | 'content' | 'address' | 'other'
  text: string
}

export function held(code: string): Held {
  const text = code.trim()
  if (isChannel(text)) return { kind: 'channel', text }
  const found = links(text)
  if (found.length !== 1 || found[0] !== text) return { kind: 'other', text }
  return { kind: /^https?:/i.test(text) ? 'address' : 'content', text }
}

/** unfit is the error for a code that is neither a share nor a channel. */
export const unfit = (h: Held): string => h.text === '' ? 'The QR code is empty'
  : `The QR code is not a link to a share or a channel. It contains ${h.kind === 'address' ? 'a web address' : 'this text'}: “${shown(h.text)}”`

export const isPicture = (f: File): boolean => f.type.startsWith('image/')
