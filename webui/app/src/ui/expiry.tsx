// When a link for browsers ends: the choice, and how it is said.
import type { JSX } from 'preact'
import { tick } from '../lib/format'
import { locale, relative, say, type Key } from '../words'

// Seconds until a new link ends, and what the choice is called.
const lives: readonly [number, Key][] = [
  [3600, 'weblinks.expires.hour'], [86400, 'weblinks.expires.day'], [7 * 86400, 'weblinks.expires.week'], [30 * 86400, 'weblinks.expires.month'],
]

/** Expiry asks for the seconds until a link ends; 0 is never, for which the page has a text. */
export function Expiry({ life, set, never }: { life: number; set: (seconds: number) => void; never: string }): JSX.Element {
  return (
    <label class="field">{say('weblinks.expires')}
      <select value={life} onChange={(e) => set(Number(e.currentTarget.value))}>
        {[[0, never] as const, ...lives.map(([s, key]) => [s, say(key)] as const)].map(([s, name]) => <option key={s} value={s}>{name}</option>)}
      </select>
    </label>
  )
}

/** expires is the member of a request for a link that lives so many seconds. */
export const expires = (life: number): { expires?: string } => (life ? { expires: new Date(Date.now() + life * 1000).toISOString() } : {})

/** ends says when a link ends. */
export const ends = (time: string): string => say('weblinks.until', { time: new Date(time).toLocaleString(locale.value, { dateStyle: 'medium', timeStyle: 'short' }), relative: ahead(time) })

/** ahead writes how long it is until a time. */
function ahead(time: string): string {
  void tick.value
  const s = Math.max(0, (Date.parse(time) - Date.now()) / 1000)
  if (s < 5400) return relative(Math.max(1, Math.round(s / 60)), 'minute')
  return s < 129600 ? relative(Math.round(s / 3600), 'hour') : relative(Math.round(s / 86400), 'day')
}
