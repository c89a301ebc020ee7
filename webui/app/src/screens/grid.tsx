// The table of transfers: it draws only the visible rows, and moves by keys.
import { signal } from '@preact/signals'
import { Component, type JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { rate, tick } from '../lib/format'
import { pressed } from '../lib/keys'
import { progress, type SortKey } from '../lib/select'
import { shown } from '../lib/text'
import { nameOf, part, stateName, status } from '../lib/words'
import { go, setQuery } from '../router'
import { isPaused, pause, removing, resume } from '../state/actions'
import { columns as chosenColumns, dense, widths } from '../state/prefs'
import { cells, fit, headHeight, layout, pickWidth, rowHeight, type Column } from '../state/columns'
import { chosen, detailOf, selected, sort } from '../state/view'
import { Bar, Tri } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Lock } from '../ui/lock'
import { say } from '../words'
import { actions } from './rowmenu'

// On a phone a row is the name with the main figures below it; the other cells are not created.
const phone = matchMedia('(max-width: 45em)')
export const narrow = signal(phone.matches)
phone.addEventListener('change', () => { narrow.value = phone.matches })
const small = matchMedia('(max-width: 20em)')
const tight = signal(small.matches)
small.addEventListener('change', () => { tight.value = small.matches })

const spare = 6

// The row that keys act on. It is kept when the screen closes, so that Back returns to it.
let cursor = ''
let scrolled = 0

/** back gives the focus to the row of a transfer whose details were closed. */
export function back(id: string): void {
  document.getElementById(`row-${id}`)?.focus({ preventScroll: true })
}

export function Grid({ rows }: { rows: Transfer[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ first: 0, count: 20 })
  const [at, setAt] = useState(cursor)
  const [room, setRoom] = useState(0)
  const high = rowHeight(narrow.value, tight.value)
  const order = useRef<readonly number[]>([]) // of the reused rows, as they stand in the document
  const [still, setStill] = useState(true)
  const rest = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const focusNext = useRef(false)

  const measure = (): void => {
    const b = box.current
    if (!b) return
    scrolled = b.scrollTop
    const first = Math.max(0, Math.floor(b.scrollTop / high) - spare)
    const count = Math.ceil(b.clientHeight / high) + 2 * spare
    setRoom(b.clientWidth)
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
  useLayoutEffect(measure, [rows.length, high])

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
    const top = i * high
    if (top < b.scrollTop) b.scrollTop = top
    else if (top + high > b.scrollTop + b.clientHeight - headHeight()) b.scrollTop = top + high - b.clientHeight + headHeight()
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
    const does = pressed(e)
    // What is open beside the list has keys of its own.
    const elsewhere = !!target.closest('.side, .rail')
    const inside = box.current!.contains(target)
    // After a dialog nothing may have the focus; then the cursor names the row.
    const onRow = target === document.body || (inside && !!target.closest('[role=row][id]'))
    const found = indexNow()
    const index = Math.max(0, found)
    const t = rows[index]
    const plain = !e.defaultPrevented && !e.ctrlKey && !e.metaKey && !e.altKey && inside && !target.closest('.grid-head') && !document.querySelector('dialog[open], [role=menu]')
    const page = Math.max(1, view.count - 2 * spare - 1)
    if (does === 'all' && !elsewhere) selected.value = new Set(rows.map((r) => r.id))
    else if (does === 'next' || (plain && e.key === 'ArrowDown')) move(found + 1)
    else if (does === 'previous' || (plain && e.key === 'ArrowUp')) move(index - 1)
    else if (plain && e.key === 'Home') move(0)
    else if (plain && e.key === 'End') move(rows.length - 1)
    else if (plain && e.key === 'PageDown') move(index + page)
    else if (plain && e.key === 'PageUp') move(index - page)
    else if (does === 'back' && !elsewhere && selected.value.size) selected.value = new Set()
    else if (t && does === 'select' && found >= 0 && onRow && (target === document.body || target.tagName === 'A')) toggle(t, e.shiftKey)
    else if (t && !elsewhere && (does === 'remove' || does === 'pause' || does === 'menu') && (chosen.value.length || (onRow && found >= 0))) {
      const ts = chosen.value.length ? chosen.value : [t]
      if (does === 'remove') removing.value = ts
      else if (does === 'menu') {
        const at = document.getElementById(`row-${t.id}`)
        if (at) actions(ts, at)
      } else if (ts.every(isPaused)) void resume(ts)
      else void pause(ts.filter((r) => !isPaused(r)))
    } else return
    e.preventDefault()
  }
  // Ends with the screen: other effects end only after the next frame, when elements are gone.
  useLayoutEffect(() => {
    const f = (e: KeyboardEvent): void => key.current(e)
    addEventListener('keydown', f)
    return () => removeEventListener('keydown', f)
  }, [])

  // Rows are reused while the list scrolls: creating or moving them made scrolling
  // slow. When scrolling stops they are put into reading order. A row keeps the
  // focus until it is no longer drawn.
  const focused = document.activeElement?.id ?? ''
  useLayoutEffect(() => {
    if (!focused.startsWith('row-') || document.activeElement?.id === focused) return
    const moved = document.getElementById(focused)
    if (moved) moved.focus({ preventScroll: true })
    else if (document.activeElement?.id.startsWith('row-')) (document.activeElement as HTMLElement).blur()
  })

  const ring = Math.min(view.count, rows.length)
  const first = Math.max(0, Math.min(view.first, rows.length - ring))
  if (still || order.current.length !== ring) order.current = Array.from({ length: ring }, (_, i) => (first + i) % ring)
  const slice = order.current.map((key) => {
    const index = first + ((key - (first % ring) + ring) % ring)
    return { t: rows[index]!, index, key }
  })
  const focusable = at && rows.some((t) => t.id === at) ? at : rows[0]!.id
  const columns = narrow.value ? [] : layout(chosenColumns.value, room, slice.map((x) => x.t), box.current)
  const nameWidth = narrow.value ? 0 : fit('name', slice.map((x) => x.t), box.current)
  const least = pickWidth() + nameWidth + columns.reduce((n, c) => n + c.width, 0)
  const template = `${pickWidth()}px minmax(${nameWidth}px, 1fr) ` + columns.map((c) => `${c.width}px`).join(' ')
  const keysOf: SortKey[] = ['name', ...columns.map((c) => c.key)]
  const shape = columns.map((c) => c.key).join()
  const marked = selected.value
  const some = rows.some((t) => marked.has(t.id))
  return (
    <div
      ref={box} class={`grid${dense.value && !narrow.value ? ' dense' : ''}`} role="grid" aria-label={say('list.title')} aria-rowcount={rows.length + 1} aria-multiselectable
      style={{ '--cols': template, '--least': `${least}px`, '--pick': `${pickWidth()}px`, '--high': `${high}px` }} onScroll={scrolling}
    >
      <div class="grid-head" role="rowgroup">
        <div role="row" aria-rowindex={1}>
          <div role="columnheader" class="pick">
            <Tri
              state={!some ? 'none' : rows.every((t) => marked.has(t.id)) ? 'all' : 'some'} label={say('list.select.all')}
              onChange={(on) => { selected.value = on ? new Set(rows.map((t) => t.id)) : new Set() }}
            />
          </div>
          <Head column="name" name={say('list.name')} width={nameWidth} grips={keysOf} />
          {columns.map((c) => <Head key={c.key} column={c.key} name={say(c.name)} width={c.width} descends={c.descends} start={c.start} grips={keysOf} />)}
        </div>
      </div>
      <div class="grid-body" role="rowgroup" style={{ height: `${rows.length * high}px` }}>
        <div role="presentation">
          {slice.map(({ t, index, key }) => (
            <Row key={key} t={t} index={index + 2} narrow={narrow.value} high={high} columns={columns} shape={shape} open={detailOf.value === t.id} tick={tick.value} selected={marked.has(t.id)} current={t.id === at} tab={t.id === focusable} toggle={stable} />
          ))}
        </div>
      </div>
    </div>
  )
}

// The grips are one stop of the Tab key; the arrows up and down go from one to the next.
const grip = signal<SortKey>('name')

interface HeadProps { column: SortKey; name: string; width: number; descends?: boolean | undefined; start?: boolean | undefined; grips: SortKey[] }

function Head({ column, name, width, descends, start, grips }: HeadProps): JSX.Element {
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
  const key = (e: KeyboardEvent): void => {
    const i = grips.indexOf(column)
    const to = e.key === 'ArrowUp' ? grips[i - 1] : e.key === 'ArrowDown' ? grips[i + 1] : undefined
    if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') set(width + (e.key === 'ArrowLeft' ? -16 : 16))
    else if (to) {
      grip.value = to
      document.getElementById(`grip-${to}`)?.focus()
    } else if (e.key !== 'ArrowUp' && e.key !== 'ArrowDown') return
    e.preventDefault()
  }
  const stop = grips.includes(grip.value) ? grip.value : 'name'
  return (
    <div role="columnheader" class={`h-${column}${start ? ' start' : ''}`} aria-sort={mine ? (s.descending ? 'descending' : 'ascending') : 'none'}>
      <button type="button" onClick={press}>
        {name}
        {mine && <Icon name={s.descending ? 'down' : 'up'} size={13} />}
      </button>
      <span
        id={`grip-${column}`} class="grip" role="separator" aria-orientation="vertical" tabIndex={stop === column ? 0 : -1} aria-label={say('list.width', { name })}
        aria-valuemin={60} aria-valuemax={800} aria-valuenow={Math.max(60, Math.min(800, Math.round(width)))}
        onPointerDown={drag} onDblClick={() => { const w = { ...widths.value }; delete w[column]; widths.value = w }}
        onFocus={() => { grip.value = column }} onKeyDown={key}
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
  high: number
  columns: Column[]
  shape: string // which columns
  open: boolean
  tick: number
  toggle: (t: Transfer, range: boolean) => void
}

// A class for shouldComponentUpdate: a patch touches few of the rows on screen.
class Row extends Component<RowProps> {
  override shouldComponentUpdate(n: RowProps): boolean {
    const p = this.props
    return n.t !== p.t || n.index !== p.index || n.selected !== p.selected || n.current !== p.current || n.tab !== p.tab || n.narrow !== p.narrow || n.high !== p.high || n.shape !== p.shape || n.open !== p.open || n.tick !== p.tick
  }

  override render({ t, index, selected: on, current, tab, narrow: compact, high, columns, open, toggle }: RowProps): JSX.Element {
    const name = shown(nameOf(t)) || t.id
    return (
      <div
        role="row" id={`r-${t.id}`} aria-rowindex={index} aria-selected={on} class={`${t.state === 'error' || t.state === 'waiting' ? 'stuck' : ''}${current ? ' current' : ''}${open ? ' open' : ''}`}
        style={{ transform: `translateY(${(index - 2) * high}px)` }}
        onClick={(e) => {
          const hit = (e.target as Element).closest('a, input, .pick')
          if (!hit) e.shiftKey || e.ctrlKey || e.metaKey ? toggle(t, e.shiftKey) : go(`/t/${t.id}${location.search}`)
        }}
        onContextMenu={(e) => {
          e.preventDefault()
          const ts = selected.value.has(t.id) ? chosen.value : [t]
          const row = document.getElementById(`row-${t.id}`)
          actions(ts, e.clientX || e.clientY ? { x: e.clientX, y: e.clientY } : row!, row)
        }}
      >
        <div role="gridcell" class="pick" onClick={(e) => { if (e.target === e.currentTarget) this.props.toggle(t, e.shiftKey) }}>
          <input
            type="checkbox" checked={on} tabIndex={tab ? 0 : -1} aria-label={say('list.select', { name })}
            onClick={(e) => this.props.toggle(t, e.shiftKey)}
          />
        </div>
        <div role="gridcell" class="c-name">
          <span class="named"><a id={`row-${t.id}`} href={`/t/${t.id}${location.search}`} tabIndex={tab ? 0 : -1}><bdi>{name}</bdi></a><Lock t={t} /></span>
          <span class="line">
            <span class={`state ${t.state}`}>{stateName(t.state)}</span>
            <span class="reason" title={shown(status(t))}><bdi>{shown(status(t))}</bdi></span>
          </span>
          {compact && <span class="compact" aria-hidden="true">
            <Bar value={progress(t)} state={t.state} />
            <span class="figures">{part(t)}</span>
            {t.down > 0 && <span class="figures down">↓ {rate(t.down)}</span>}
            {t.up > 0 && <span class="figures up">↑ {rate(t.up)}</span>}
          </span>}
        </div>
        {!compact && columns.map((c) => (
          <div role="gridcell" key={c.key} class={`c-${c.key}${c.start ? ' start' : ''}`}>
            {c.key === 'progress' ? <><Bar value={progress(t)} state={t.state} /><span>{cells[c.key]!(t)}</span></> : c.start ? <bdi title={cells[c.key]!(t)}>{cells[c.key]!(t)}</bdi> : cells[c.key]!(t)}
          </div>
        ))}
      </div>
    )
  }
}
