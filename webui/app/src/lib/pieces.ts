// The piece map: its encoding, its counts, and how it is shrunk to what fits.
import { say } from '../words'

export const missing = 0, partial = 1, checking = 2, complete = 3, skipped = 4

/** decode reads the base64 of Pieces.State. */
export function decode(base64: string): Uint8Array {
  const raw = atob(base64)
  const out = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i)
  return out
}

/** count returns the number of pieces in each state. */
export function count(states: Uint8Array): [number, number, number, number, number] {
  const n: [number, number, number, number, number] = [0, 0, 0, 0, 0]
  for (const s of states) if (s <= skipped) n[s as 0]!++
  return n
}

/** summary describes the piece map in words. */
export function summary(states: Uint8Array): string {
  const n = count(states)
  const parts = [say('pieces.sum.complete', { n: states.length, done: n[complete] })]
  if (n[partial]) parts.push(say('pieces.sum.partial', { n: n[partial] }))
  if (n[checking]) parts.push(say('pieces.sum.checking', { n: n[checking] }))
  if (n[missing]) parts.push(say('pieces.sum.missing', { n: n[missing] }))
  if (n[skipped]) parts.push(say('pieces.sum.skipped', { n: n[skipped] }))
  return parts.join(', ')
}

/**
 * cells shrinks the map to at most max cells. A cell has the least complete state
 * of its selected pieces and the part of them that is complete.
 */
export function cells(states: Uint8Array, max: number): { state: number; done: number }[] {
  const per = Math.max(1, Math.ceil(states.length / max))
  const out: { state: number; done: number }[] = []
  for (let i = 0; i < states.length; i += per) {
    const end = Math.min(states.length, i + per)
    let done = 0, busy = 0, check = 0, skip = 0
    for (let j = i; j < end; j++) {
      if (states[j] === complete) done++
      else if (states[j] === partial) busy++
      else if (states[j] === checking) check++
      else if (states[j] === skipped) skip++
    }
    const wanted = end - i - skip
    const state = done > 0 && done === wanted ? complete : check ? checking : busy || done ? partial : wanted === 0 ? skipped : missing
    out.push({ state, done: wanted > 0 ? done / wanted : 0 })
  }
  return out
}
