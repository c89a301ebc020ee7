// The table of transfers: it draws only the visible rows, and moves by keys.
import { signal } from '@preact/signals'
import { Component, type JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { ago, bytes, duration, percent, rate } from '../lib/format'
import { coming, eta, progress, ratio, type SortKey } from '../lib/select'
import { shown } from '../lib/text'
import { nameOf, stateNames, status } from '../lib/words'
import { go, setQuery } from '../router'
import { isPaused, pause, removing, resume } from '../state/actions'
import { widths } from '../state/prefs'
import { selected, sort } from '../state/view'
import { Bar, Tri } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Lock } from '../ui/lock'

interface Column {
  key: SortKey
  name: string
  width: number
  descends?: boolean // the first click sorts in descending order
  cell: (t: Transfer) => string
}

const columns: Column[] = [
  { key: 'progress', name: 'Progress', width: 118, descends: true, cell: (t) => percent(t.bytes, t.total) },
  { key: 'size', name: 'Size', width: 82, descends: true, cell: (t) => (t.size ? bytes(t.size) : '–') },
  { key: 'down', name: 'Down', width: 90, descends: true, cell: (t) => rate(coming(t)) },
  { key: 'up', name: 'Up', width: 90, descends: true, cell: (t) => rate(t.up) },
  { key: 'eta', name: 'ETA', width: 78, cell: (t) => (eta(t) === Infinity ? '' : duration(eta(t))) },
  { key: 'peers', name: 'Peers', width: 66, descends: true, cell: (t) => (t.peers ? `${t.peers}` : '') },
  { key: 'ratio', name: 'Ratio', width: 64, descends: true, cell: (t) => (t.uploaded ? ratio(t).toFixed(2) : '') },
  { key: 'added', name: 'Added', width: 112, descends: true, cell: (t) => ago(t.added) },
]
// On a phone a row is the name with the main figures below it; the other cells are not created.
const phone = matchMedia('(max-width: 720px)')
const narrow = signal(phone.matches)
phone.addEventListener('change', () => { narrow.value = phone.matches })

const nameWidth = 248
const rowHeight = 60
const headHeight = 38
const spare = 6

// The row that keys act on. It is kept when the screen closes, so that Back returns to it.
let cursor = ''
let scrolled = 0

const widthOf = (key: string, preset: number): number => widths.value[key] ?? preset

export function Grid({ rows }: { rows: Transfer[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ first: 0, count: 20 })
  const [at, setAt] = useState(cursor)
  const rung = useRef(32) // the number of reused rows, more than are drawn at once
  const [still, setStill] = useState(true)
  const rest = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const focusNext = useRef(false)

  const measure = (): void => {
    const b = box.current
    if (!b) return
    scrolled = b.scrollTop
    const first = Math.max(0, Math.floor(b.scrollTop / rowHeight) - spare)
    const count = Math.ceil(b.clientHeight / rowHeight) + 2 * spare
    setView((v) => (v.first === first && v.count === count ? v : { first, count }))
  }
  const scrolling = (): void => {
    measure()
    setStill(false)
    clearTimeout(rest.current)
    rest.current = setTimeout(() => setStill(true), 250)
  }
  useLayoutEffect(() => {
    const b = box.current!
    b.scrollTop = scrolled
    measure()
    const resized = new ResizeObserver(measure)
    resized.observe(b)
    return () => resized.disconnect()
  }, [])
  useLayoutEffect(measure, [rows.length])

  // Two keys may be pressed before the next render, so the cursor may be newer than the state.
  const indexNow = (): number => rows.findIndex((t) => t.id === cursor)
  const move = (to: number, focus = true): void => {
    const i = Math.max(0, Math.min(rows.length - 1, to))
    const t = rows[i]
    const b = box.current
    if (!t || !b) return
    cursor = t.id
    focusNext.current = focus
    setAt(t.id)
    if (focus) document.getElementById(`row-${t.id}`)?.focus({ preventScroll: true })
    const top = i * rowHeight
    if (top < b.scrollTop) b.scrollTop = top
    else if (top + rowHeight > b.scrollTop + b.clientHeight - headHeight) b.scrollTop = top + rowHeight - b.clientHeight + headHeight
    measure()
  }
  useEffect(() => {
    if (!focusNext.current) return
    const a = document.getElementById(`row-${at}`)
    if (a) {
      focusNext.current = false
      a.focus({ preventScroll: true })
    }
  })

  const toggle = (t: Transfer, range: boolean): void => {
    const next = new Set(selected.value)
    const from = rows.findIndex((r) => r.id === cursor)
    const to = rows.findIndex((r) => r.id === t.id)
    if (range && from >= 0) {
      for (let i = Math.min(from, to); i <= Math.max(from, to); i++) next.add(rows[i]!.id)
    } else if (!next.delete(t.id)) next.add(t.id)
    selected.value = next
    cursor = t.id
    setAt(t.id)
  }

  // A stable function, so that rows are not rendered again for a new one.
  const latest = useRef(toggle)
  latest.current = toggle
  const stable = useRef((t: Transfer, range: boolean) => latest.current(t, range)).current

  const key = useRef<(e: KeyboardEvent) => void>(() => {})
  key.current = (e) => {
    const target = e.target as HTMLElement
    if (e.defaultPrevented || document.querySelector('dialog[open]')) return
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !(target instanceof HTMLInputElement && target.type === 'checkbox')) return
    const inside = box.current!.contains(target)
    // After a dialog nothing may have the focus; then the cursor names the row.
    const onRow = target === document.body || (inside && !!target.closest('[role=row][id]'))
    const found = indexNow()
    const index = Math.max(0, found)
    const t = rows[index]
    if ((e.ctrlKey || e.metaKey) && e.key === 'a') selected.value = new Set(rows.map((r) => r.id))
    else if (e.ctrlKey || e.metaKey || e.altKey) return
    else if (e.key === 'j' || (inside && e.key === 'ArrowDown')) move(found + 1)
    else if (e.key === 'k' || (inside && e.key === 'ArrowUp')) move(index - 1)
    else if (inside && e.key === 'Home') move(0)
    else if (inside && e.key === 'End') move(rows.length - 1)
    else if (inside && e.key === 'PageDown') move(index + Math.max(1, view.count - 2 * spare - 1))
    else if (inside && e.key === 'PageUp') move(index - Math.max(1, view.count - 2 * spare - 1))
    else if (e.key === 'Escape' && selected.value.size) selected.value = new Set()
    else if (t && e.key === ' ' && found >= 0 && onRow && (target === document.body || target.tagName === 'A')) toggle(t, e.shiftKey)
    else if (t && (e.key === 'Delete' || e.key === 'p') && (selected.value.size || (onRow && found >= 0))) {
      const ts = selected.value.size ? rows.filter((r) => selected.value.has(r.id)) : [t]
      if (e.key === 'Delete') removing.value = ts
      else if (ts.every(isPaused)) void resume(ts)
      else void pause(ts.filter((r) => !isPaused(r)))
    } else return
    e.preventDefault()
  }
  useEffect(() => {
    const f = (e: KeyboardEvent): void => key.current(e)
    addEventListener('keydown', f)
    return () => removeEventListener('keydown', f)
  }, [])

  // Rows are reused while the list scrolls: creating or moving them made scrolling
  // slow. When scrolling stops they are put into reading order. A row keeps the
  // focus until it is no longer drawn.
  rung.current = Math.max(rung.current, view.count)
  const focused = document.activeElement?.id ?? ''
  useLayoutEffect(() => {
    if (!focused.startsWith('row-') || document.activeElement?.id === focused) return
    const moved = document.getElementById(focused)
    if (moved) moved.focus({ preventScroll: true })
    else if (document.activeElement?.id.startsWith('row-')) (document.activeElement as HTMLElement).blur()
  })

  const end = Math.min(rows.length, view.first + view.count)
  const slice = rows.slice(view.first, end).map((t, i) => ({ t, index: view.first + i, key: (view.first + i) % rung.current }))
  if (!still) slice.sort((a, b) => a.key - b.key)
  const focusable = at && rows.some((t) => t.id === at) ? at : rows[0]!.id
  const least = 44 + widthOf('name', nameWidth) + columns.reduce((n, c) => n + widthOf(c.key, c.width), 0)
  const template = `44px minmax(${widthOf('name', nameWidth)}px, 1fr) ` + columns.map((c) => `${widthOf(c.key, c.width)}px`).join(' ')
  const chosen = selected.value
  const some = rows.some((t) => chosen.has(t.id))
  return (
    <div
      ref={box} class="grid" role="grid" aria-label="Transfers" aria-rowcount={rows.length + 1} aria-multiselectable
      style={{ '--cols': template, '--least': `${least}px` }} onScroll={scrolling}
    >
      <div class="grid-head" role="rowgroup">
        <div role="row" aria-rowindex={1}>
          <div role="columnheader" class="pick">
            <Tri
              state={!some ? 'none' : rows.every((t) => chosen.has(t.id)) ? 'all' : 'some'} label="Select all shown transfers"
              onChange={(on) => { selected.value = on ? new Set(rows.map((t) => t.id)) : new Set() }}
            />
          </div>
          <Head column="name" name="Name" width={nameWidth} />
          {columns.map((c) => <Head key={c.key} column={c.key} name={c.name} width={c.width} descends={c.descends} />)}
        </div>
      </div>
      <div class="grid-body" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        <div role="presentation">
          {slice.map(({ t, index, key }) => (
            <Row key={key} t={t} index={index + 2} narrow={narrow.value} selected={chosen.has(t.id)} current={t.id === at} tab={t.id === focusable} toggle={stable} />
          ))}
        </div>
      </div>
    </div>
  )
}

function Head({ column, name, width, descends }: { column: SortKey; name: string; width: number; descends?: boolean | undefined }): JSX.Element {
  const s = sort.value
  const mine = s.key === column
  const press = (): void => {
    const down = mine ? !s.descending : !!descends
    setQuery({ sort: column === 'added' && down ? '' : `${column}.${down ? 'desc' : 'asc'}` })
  }
  const set = (to: number): void => {
    widths.value = { ...widths.value, [column]: Math.max(60, Math.min(800, Math.round(to))) }
  }
  const drag = (e: PointerEvent): void => {
    e.preventDefault()
    const grip = e.currentTarget as HTMLElement
    const from = e.clientX
    const was = grip.parentElement!.getBoundingClientRect().width
    grip.setPointerCapture(e.pointerId)
    grip.onpointermove = (m) => set(was + m.clientX - from)
    grip.onpointerup = grip.onpointercancel = () => { grip.onpointermove = null }
  }
  return (
    <div role="columnheader" class={`h-${column}`} aria-sort={mine ? (s.descending ? 'descending' : 'ascending') : 'none'}>
      <button type="button" onClick={press}>
        {name}
        {mine && <Icon name={s.descending ? 'down' : 'up'} size={13} />}
      </button>
      <span
        class="grip" role="separator" aria-orientation="vertical" tabIndex={0} aria-label={`Width of ${name}`}
        aria-valuemin={60} aria-valuemax={800} aria-valuenow={Math.round(widthOf(column, width))}
        onPointerDown={drag} onDblClick={() => { const w = { ...widths.value }; delete w[column]; widths.value = w }}
        onKeyDown={(e) => {
          const by = e.key === 'ArrowLeft' ? -16 : e.key === 'ArrowRight' ? 16 : 0
          if (!by) return
          e.preventDefault()
          set(widthOf(column, width) + by)
        }}
      />
    </div>
  )
}

interface RowProps {
  t: Transfer
  index: number
  selected: boolean
  current: boolean
  tab: boolean
  narrow: boolean
  toggle: (t: Transfer, range: boolean) => void
}

// A class for shouldComponentUpdate: a patch touches few of the rows on screen.
class Row extends Component<RowProps> {
  override shouldComponentUpdate(n: RowProps): boolean {
    const p = this.props
    return n.t !== p.t || n.index !== p.index || n.selected !== p.selected || n.current !== p.current || n.tab !== p.tab || n.narrow !== p.narrow
  }

  override render({ t, index, selected: on, current, tab, narrow: compact, toggle }: RowProps): JSX.Element {
    const name = shown(nameOf(t)) || t.id
    return (
      <div
        role="row" id={`r-${t.id}`} aria-rowindex={index} aria-selected={on} class={`${t.state}${current ? ' current' : ''}`}
        style={{ transform: `translateY(${(index - 2) * rowHeight}px)` }}
        onClick={(e) => {
          const hit = (e.target as Element).closest('a, input, .pick')
          if (!hit) e.shiftKey || e.ctrlKey || e.metaKey ? toggle(t, e.shiftKey) : go(`/t/${t.id}`)
        }}
      >
        <div role="gridcell" class="pick" onClick={(e) => { if (e.target === e.currentTarget) this.props.toggle(t, e.shiftKey) }}>
          <input
            type="checkbox" checked={on} tabIndex={tab ? 0 : -1} aria-label={`Select ${name}`}
            onClick={(e) => this.props.toggle(t, e.shiftKey)}
          />
        </div>
        <div role="gridcell" class="c-name">
          <span class="named"><a id={`row-${t.id}`} href={`/t/${t.id}`} tabIndex={tab ? 0 : -1}><bdi>{name}</bdi></a><Lock t={t} /></span>
          <span class="line">
            <span class={`state ${t.state}`}>{stateNames[t.state]}</span>
            <span class="reason"><bdi>{shown(status(t))}</bdi></span>
          </span>
          {compact && <span class="compact" aria-hidden="true">
            <Bar value={progress(t)} state={t.state} />
            <span class="figures">{t.total ? `${percent(t.bytes, t.total)} of ${bytes(t.total)}` : 'size unknown'}</span>
            {coming(t) > 0 && <span class="figures down">↓ {rate(coming(t))}</span>}
            {t.up > 0 && <span class="figures up">↑ {rate(t.up)}</span>}
          </span>}
        </div>
        {!compact && columns.map((c) => (
          <div role="gridcell" key={c.key} class={`c-${c.key}`}>
            {c.key === 'progress' ? <><Bar value={progress(t)} state={t.state} /><span>{c.cell(t)}</span></> : c.cell(t)}
          </div>
        ))}
      </div>
    )
  }
}
