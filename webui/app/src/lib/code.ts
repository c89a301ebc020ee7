import { isChannel, links, shown } from './text'

/** Held is what a scanned code turned out to hold. Anybody can print a code: it is a stranger's text. */
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

/** unfit says what a code holds that is neither a share nor a channel. */
export const unfit = (h: Held): string => h.text === '' ? 'The code is empty'
  : `The code is no link to a share or a channel. It holds ${h.kind === 'address' ? 'a web address' : 'this text'}: “${shown(h.text)}”`

export const isPicture = (f: File): boolean => f.type.startsWith('image/')
