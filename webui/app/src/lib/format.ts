// Sizes, rates, times and numbers as text in the reader's language, and sizes read from text.
import { signal } from '@preact/signals'
import { date, number, relative, say } from '../words'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** bytes writes a size with three digits, in powers of 1000 as disks are sold. */
export function bytes(n: number): string {
  if (!Number.isFinite(n) || n < 0) return '–'
  let i = 0
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000
    i++
  }
  const digits = i === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2
  return `${number(n, digits)} ${units[i]}`
}

/** rate writes bytes per second, or an empty string for 0. */
export function rate(n: number): string {
  return n > 0 ? `${bytes(n)}/s` : ''
}

/** duration writes seconds in at most two units. */
export function duration(s: number): string {
  if (!Number.isFinite(s) || s < 0) return '–'
  if (s < 60) return say('time.seconds', { n: Math.max(1, Math.ceil(s)) })
  const m = Math.ceil(s / 60)
  if (m < 60) return say('time.minutes', { n: m })
  const h = Math.floor(m / 60)
  if (h < 48) return m % 60 ? `${say('time.hours', { n: h })} ${say('time.minutes', { n: m % 60 })}` : say('time.hours', { n: h })
  const d = Math.round(h / 24)
  return d < 400 ? say('time.days', { n: d }) : say('time.years')
}

/** lasts writes how much a player has, and for how long that is enough. */
export function lasts(n: number, perSecond: number): string {
  return n > 0 && perSecond > 0 ? say('player.bytes', { size: bytes(n), time: duration(n / perSecond) }) : bytes(n)
}

/** percent rounds down, so that only complete content shows 100 %. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return say('percent', { value: '0' })
  const p = (part / whole) * 100
  if (part >= whole) return say('percent', { value: '100' })
  return say('percent', { value: p >= 99 || p < 10 ? number(Math.floor(p * 10) / 10, 1) : number(Math.floor(p), 0) })
}

let ticking: ReturnType<typeof setInterval> | undefined

/** tick changes about twice a minute while something reads it: what it shows of times is then shown anew. */
export const tick = signal(0, {
  watched() { ticking = setInterval(() => { tick.value++ }, 30_000) },
  unwatched() { clearInterval(ticking) },
})

/** ago writes how long ago a time was; now is for tests. */
export function ago(time: string | undefined, now = Date.now()): string {
  void tick.value
  const t = time ? Date.parse(time) : NaN
  if (Number.isNaN(t)) return '–'
  const s = Math.round((now - t) / 1000)
  if (s < 45) return say('time.now')
  if (s < 5400) return relative(-Math.max(1, Math.round(s / 60)), 'minute')
  if (s < 129600) return relative(-Math.round(s / 3600), 'hour')
  if (s < 86400 * 45) return relative(-Math.round(s / 86400), 'day')
  return date(t)
}

export function plural(n: number, one: string, many = one + 's'): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`
}

const factors: Record<string, number> = {
  '': 1, b: 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9, t: 1e12, tb: 1e12,
  kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4,
}

/** parseSize reads "1.5 MB", "500K" or "2 MiB/s"; undefined if text is not a size. */
export function parseSize(text: string): number | undefined {
  const m = /^\s*([0-9]+(?:[.,][0-9]+)?)\s*([a-z]*?)(?:\/s)?\s*$/i.exec(text)
  const factor = m && factors[m[2]!.toLowerCase()]
  if (!m || factor === undefined || factor === null) return undefined
  const n = Math.round(parseFloat(m[1]!.replace(',', '.')) * factor)
  return Number.isSafeInteger(n) ? n : undefined
}

/** sizeText writes a size for a field that parseSize reads: exactly, and nothing for 0. */
export function sizeText(n: number): string {
  if (!n) return ''
  if (parseSize(bytes(n)) === n) return bytes(n)
  return n % 1024 ** 2 === 0 ? `${n / 1024 ** 2} MiB` : `${n}`
}

const minute = 60e9
/** goalText describes a seeding goal; For is in nanoseconds. */
export function goalText(g: { none?: boolean; ratio?: number; for?: number }): string {
  if (g.none) return say('goal.none')
  if (g.ratio && g.for) return say('goal.both', { ratio: number(g.ratio), time: duration(g.for / 1e9) })
  if (g.ratio) return say('goal.ratio', { ratio: number(g.ratio) })
  return g.for ? say('goal.time', { time: duration(g.for / 1e9) }) : say('goal.forever')
}
export const hours = (ns: number): number => ns / (60 * minute)
export const nanoseconds = (h: number): number => Math.round(h * 60 * minute)
