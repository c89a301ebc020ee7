// What the text of a scanned QR code means.
import { isChannel, links, shown } from './text'
import { say } from '../words'

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
export const unfit = (h: Held): string => h.text === '' ? say('code.empty')
  : say(h.kind === 'address' ? 'code.address' : 'code.text', { text: shown(h.text) })

export const isPicture = (f: File): boolean => f.type.startsWith('image/')
