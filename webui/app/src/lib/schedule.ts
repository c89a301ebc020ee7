// The schedule: its lines, as the node reads them, and the week that they fill.
import { parseSize } from './format'

/** Limits are bytes per second; 0 is none, undefined leaves the node's own limit. */
export interface Limits {
  down?: number
  up?: number
}

/** Days are in the order of the page: Monday first. */
export const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const dayMinutes = 24 * 60

interface Window {
  days: boolean[] // from Monday
  from: number // minutes of the day
  to: number // excluded; before from is on the next day
  limits: Limits
}

/** Week has the limits of each slot of each day, as an index of kinds; -1 is no entry. */
export interface Week {
  slot: number // minutes
  kinds: Limits[]
  cells: number[][] // by day from Monday, by slot
}

const rateOf = (text: string): number | undefined => (/^(none|unlimited)$/.test(text) ? 0 : parseSize(text))

function hour(text: string): number | undefined {
  const m = /^(\d\d?):(\d\d)$/.exec(text)
  if (!m) return undefined
  const [h, min] = [Number(m[1]), Number(m[2])]
  if (h === 24 && min === 0) return dayMinutes
  return h < 24 && min < 60 ? h * 60 + min : undefined
}

function dayList(text: string): boolean[] | undefined {
  const out = days.map(() => text === 'daily')
  if (text === 'daily') return out
  for (const part of text.split(',')) {
    const [first, last = first, ...more] = part.split('-')
    const [i, j] = [days.indexOf(first as never), days.indexOf(last as never)]
    if (i < 0 || j < 0 || more.length) return undefined
    for (let d = i; ; d = (d + 1) % 7) {
      out[d] = true
      if (d === j) break
    }
  }
  return out
}

/** parseLine reads one line; undefined if the node would refuse it. */
export function parseLine(line: string): Window | undefined {
  const w: Window = { days: days.map(() => true), from: 0, to: dayMinutes, limits: {} }
  const words = line.toLowerCase().split(/\s+/).filter(Boolean)
  for (const [i, word] of words.entries()) {
    const eq = word.indexOf('=')
    if (eq >= 0) {
      const n = rateOf(word.slice(eq + 1))
      const key = word.slice(0, eq)
      if (n === undefined || (key !== 'up' && key !== 'down')) return undefined
      w.limits[key] = n
    } else if (word.includes(':')) {
      const dash = word.indexOf('-')
      const [from, to] = [hour(word.slice(0, dash)), hour(word.slice(dash + 1))]
      if (dash < 0 || from === undefined || to === undefined || from === to || from === dayMinutes) return undefined
      w.from = from
      w.to = to
    } else {
      const list = i === 0 ? dayList(word) : undefined
      if (!list) return undefined
      w.days = list
    }
  }
  return w.limits.up === undefined && w.limits.down === undefined ? undefined : w
}

const same = (a: Limits, b: Limits): boolean => a.up === b.up && a.down === b.down

/** weekOf fills a week with lines; undefined if one of them is wrong, or not of whole quarters of an hour. */
export function weekOf(lines: readonly string[]): Week | undefined {
  const windows = lines.map(parseLine)
  let slot = 60
  for (const w of windows) {
    if (!w) return undefined
    for (const at of [w.from, w.to]) while (slot > 15 && at % slot) slot /= 2
    if (w.from % slot || w.to % slot) return undefined
  }
  const week: Week = { slot, kinds: [], cells: days.map(() => Array<number>(dayMinutes / slot).fill(-1)) }
  // The first line that covers a time applies, so that later ones only fill what is free.
  for (const w of windows as Window[]) {
    let kind = week.kinds.findIndex((k) => same(k, w.limits))
    if (kind < 0) kind = week.kinds.push(w.limits) - 1
    const fill = (day: number, from: number, to: number): void => {
      for (let s = from / slot; s < to / slot; s++) if (week.cells[day % 7]![s] === -1) week.cells[day % 7]![s] = kind
    }
    w.days.forEach((on, day) => {
      if (!on) return
      if (w.from < w.to) fill(day, w.from, w.to)
      else {
        fill(day, w.from, dayMinutes)
        fill(day + 1, 0, w.to)
      }
    })
  }
  return week
}

const clock = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

function dayText(on: readonly boolean[]): string {
  if (on.every(Boolean)) return 'daily'
  const parts: string[] = []
  for (let i = 0; i < 7; i++) {
    if (!on[i]) continue
    let j = i
    while (j < 6 && on[j + 1]) j++
    parts.push(...(j - i >= 2 ? [`${days[i]}-${days[j]}`] : days.slice(i, j + 1)))
    i = j
  }
  return parts.join(',')
}

/** rateWord writes a rate in the shortest exact form. */
export function rateWord(n: number): string {
  for (const [name, of] of [['GB', 1e9], ['MiB', 1024 ** 2], ['MB', 1e6], ['KiB', 1024], ['KB', 1e3]] as const) {
    if (n >= of && n % of === 0) return `${n / of}${name}`
  }
  return String(n)
}

/** limitsText writes limits as in a line. */
export const limitsText = (l: Limits): string =>
  [l.down === undefined ? '' : `down=${rateWord(l.down)}`, l.up === undefined ? '' : `up=${rateWord(l.up)}`].filter(Boolean).join(' ')

/** slotText is the time of a slot: 08:00-09:00. */
export const slotText = (week: Week, slot: number): string => `${clock(slot * week.slot)}-${clock((slot + 1) * week.slot)}`

/** linesOf writes a week as lines: days with the same times share one. */
export function linesOf(week: Week): string[] {
  const lines: string[] = []
  week.kinds.forEach((limits, kind) => {
    const times = new Map<string, boolean[]>() // days by time
    week.cells.forEach((slots, day) => {
      for (let s = 0; s < slots.length; s++) {
        if (slots[s] !== kind) continue
        let e = s
        while (e + 1 < slots.length && slots[e + 1] === kind) e++
        const time = `${clock(s * week.slot)}-${clock((e + 1) * week.slot)}`
        const on = times.get(time) ?? days.map(() => false)
        on[day] = true
        times.set(time, on)
        s = e
      }
    })
    for (const [time, on] of times) lines.push(`${dayText(on)} ${time} ${limitsText(limits)}`)
  })
  return lines
}

/** paint returns a week with a rectangle of it set to a kind. */
export function paint(week: Week, kind: number, from: [day: number, slot: number], to: [day: number, slot: number]): Week {
  const [d0, d1] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])]
  const [s0, s1] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])]
  return { ...week, cells: week.cells.map((slots, d) => (d < d0 || d > d1 ? slots : slots.map((k, s) => (s < s0 || s > s1 ? k : kind)))) }
}
