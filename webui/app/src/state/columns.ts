// The columns of the list: what they show, and how wide they must be to show it.
import type { Transfer } from '../api/types'
import { ago, bytes, duration, percent, rate } from '../lib/format'
import { eta, ratio, type SortKey } from '../lib/select'
import { shown } from '../lib/text'
import { stateName, status } from '../lib/words'
import { number, say, type Key } from '../words'
import { byKey } from './store'
import { dense, widths } from './prefs'
import { rem } from './rem'

export interface Column {
  key: SortKey
  name: Key
  width: number
  descends?: boolean // the first click sorts in descending order
  start?: boolean // a text, which may be cut; figures never are
}

/** all are the columns that can be chosen, in their order. */
export const all: readonly Omit<Column, 'width'>[] = [
  { key: 'progress', name: 'list.progress', descends: true },
  { key: 'size', name: 'list.size', descends: true },
  { key: 'down', name: 'list.down', descends: true },
  { key: 'up', name: 'list.up', descends: true },
  { key: 'eta', name: 'list.eta' },
  { key: 'peers', name: 'list.peers', descends: true },
  { key: 'seeds', name: 'list.seeds', descends: true },
  { key: 'availability', name: 'list.availability', descends: true },
  { key: 'ratio', name: 'list.ratio', descends: true },
  { key: 'downloaded', name: 'list.downloaded', descends: true },
  { key: 'uploaded', name: 'list.uploaded', descends: true },
  { key: 'priority', name: 'list.priority', descends: true },
  { key: 'added', name: 'list.added', descends: true },
  { key: 'channel', name: 'list.channel', start: true },
  { key: 'path', name: 'list.path', start: true },
]

/** usual are the columns of a reader who chose none, the most needed first: as many as fit are shown. */
export const usual: readonly SortKey[] = ['progress', 'down', 'up', 'eta', 'size', 'peers', 'ratio', 'added']

export const priorities = { '1': 'list.priority.high', '0': 'list.priority.normal', '-1': 'list.priority.low' } as const

export const cells: Partial<Record<SortKey, (t: Transfer) => string>> = {
  progress: (t) => (t.total ? percent(t.bytes, t.total) : '–'),
  size: (t) => (t.size ? bytes(t.size) : '–'),
  down: (t) => rate(t.down),
  up: (t) => rate(t.up),
  eta: (t) => (eta(t) === Infinity ? '' : duration(eta(t))),
  peers: (t) => (t.peers ? number(t.peers) : ''),
  seeds: (t) => (t.seeds ? number(t.seeds) : ''),
  availability: (t) => (t.availability ? number(t.availability, 2) : ''),
  ratio: (t) => (t.uploaded ? number(ratio(t), 2) : ''),
  downloaded: (t) => (t.downloaded ? bytes(t.downloaded) : ''),
  uploaded: (t) => (t.uploaded ? bytes(t.uploaded) : ''),
  priority: (t) => (t.priority ? say(priorities[`${t.priority}` as '1' | '-1']) : ''),
  added: (t) => ago(t.added),
  channel: (t) => (t.channel ? shown(byKey.value?.[t.channel]?.name ?? '') : ''),
  path: (t) => shown(t.path),
}

// What columns are made wide for from the start, so that they seldom grow.
const samples: Partial<Record<SortKey, () => string[]>> = {
  progress: () => [percent(1, 1), percent(999, 1000)],
  size: () => [bytes(888e6)], down: () => [rate(88.8e6)], up: () => [rate(88.8e6)], downloaded: () => [bytes(88.8e9)], uploaded: () => [bytes(88.8e9)],
  eta: () => [duration(59 * 60), duration(11 * 3600 + 59 * 60)],
}

const scaled = (n: number): number => Math.round((n * rem.value) / 16)

// A checkbox and the room around it.
export const pickWidth = (): number => 27 + scaled(17)
export const headHeight = (): number => scaled(38)
const padding = 24
const textWidth = 200
// Wide enough for most reasons; longer ones, with paths in them, are cut.
const least = { name: 260, reason: 460 }

/** rowHeight is that of a row. On a phone with large letters the figures take two lines. */
export const rowHeight = (narrow: boolean, tight: boolean): number => scaled(narrow ? (tight ? 92 : 60) : dense.value ? 32 : 60)

// Texts are measured in the page, in the font that it really has. Digits are equally wide,
// so that few texts have a width of their own.
const known = new Map<string, number>()
let probe: HTMLElement | undefined
let font = ''
let size = 0

function widthOf(text: string, where: HTMLElement, kind: string): number {
  if (!probe?.isConnected || size !== rem.value) {
    probe?.remove()
    probe = document.createElement('span')
    probe.className = 'probe'
    probe.setAttribute('aria-hidden', 'true')
    where.append(probe)
    const now = getComputedStyle(where).fontFamily
    if (font !== now || size !== rem.value) {
      known.clear()
      grown.clear()
    }
    font = now
    size = rem.value
  }
  const shape = `${kind} ${text.replace(/\d/g, '0')}`
  let w = known.get(shape)
  if (w === undefined) {
    if (known.size > 5000) known.clear()
    probe.className = `probe ${kind}`
    probe.textContent = text.replace(/\d/g, '0')
    w = Math.ceil(probe.getBoundingClientRect().width)
    known.set(shape, w)
  }
  return w
}

// Columns grow for what they show and do not shrink again: they would move all the time.
const grown = new Map<string, number>()

/** fit is how wide a column must be for these rows and for what it showed before. */
export function fit(key: SortKey, rows: readonly Transfer[], where: HTMLElement | null): number {
  if (key === 'name') {
    const name = scaled(least.name)
    let w = name
    if (where) for (const t of rows) w = Math.max(w, Math.min(scaled(least.reason), widthOf(stateName(t.state), where, 'state') + widthOf(status(t), where, 'small') + 24 + (dense.value ? scaled(160) : 0)))
    w = Math.max(w, grown.get(key) ?? 0)
    grown.set(key, w)
    return Math.max(widths.value[key] ?? 0, widths.value[key] ? name : w)
  }
  const c = all.find((x) => x.key === key)!
  let w = 0
  if (where) {
    w = Math.max(widthOf(say(c.name), where, 'head') + scaled(18) + padding, grown.get(key) ?? 0)
    const extra = padding + (key === 'progress' ? scaled(48) : 0)
    if (!c.start) for (const text of [...(samples[key]?.() ?? []), ...rows.map(cells[key]!)]) w = Math.max(w, widthOf(text, where, 'figure') + extra)
    grown.set(key, w)
  } else w = grown.get(key) ?? 0
  return Math.max(w, widths.value[key] ?? (c.start ? scaled(textWidth) : 0))
}

/** layout is the columns to show, with their widths. */
export function layout(chosen: readonly string[] | null, room: number, rows: readonly Transfer[], where: HTMLElement | null): Column[] {
  const wanted = chosen ?? usual
  const fitted = new Map(all.filter((c) => wanted.includes(c.key)).map((c) => [c.key as string, { ...c, width: fit(c.key, rows, where) }]))
  if (!chosen) {
    let left = room - pickWidth() - fit('name', rows, where)
    for (const key of usual) {
      left -= fitted.get(key)!.width
      if (left < 0) fitted.delete(key)
    }
  }
  return [...fitted.values()]
}
