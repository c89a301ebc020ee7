// The transfers screen: search, filters, the table, and actions on the selection.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { filters, type SortKey } from '../lib/select'
import { go, query, setQuery } from '../router'
import { isPaused, limiting, pause, removing, resume, verify } from '../state/actions'
import { all, usual } from '../state/columns'
import { columns, dense, notifying } from '../state/prefs'
import { loaded } from '../state/store'
import { notifiable, notify } from '../state/tab'
import { toast } from '../state/toasts'
import { beside, chosen, counts, filter, rows, search, selected, sort } from '../state/view'
import { Button, Empty, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Menu, openMenu, type Entry } from '../ui/menu'
import { number, say } from '../words'
import { adding } from './add'
import { back, Grid, narrow } from './grid'
import { actions, LimitDialog } from './rowmenu'

// The details are loaded when they are first shown.
const detail = signal<typeof import('./detail').Detail | undefined>(undefined)

interface Shown { id: string; tab: string; side?: boolean }

// The focus goes into details that are opened here, not into those that the page began with.
let landed = false

function Details(p: Shown): JSX.Element {
  const Detail = detail.value
  const focus = useRef(landed).current
  useEffect(() => {
    if (!Detail) import('./detail').then((m) => { detail.value = m.Detail }, () => toast(say('list.detail.failed'), { bad: true }))
  }, [])
  return Detail ? <Detail {...p} focus={focus} /> : <div class="screen page"><h1 class="offscreen">{say('list.transfer')}</h1><Working>{say('list.loading')}</Working></div>
}

/** Transfers is the list, with the details of one transfer beside it or in its place. */
export function Transfers({ id, tab }: { id?: string; tab?: string }): JSX.Element {
  const was = useRef(id)
  useEffect(() => { landed = true }, [])
  useEffect(() => {
    // Back in the list, the focus is where it was before.
    if (was.current && !id) back(was.current)
    was.current = id
  }, [id])
  const list = !id || beside.value
  return (
    <div class="places">
      {list && (
        <div class="screen transfers">
          <div class="head">
            <h1>{say('list.title')}</h1>
            <div class="actions">
              <Button icon="share" onClick={() => go('/share')}>{say('list.share')}</Button>
              <Button icon="add" variant="primary" onClick={() => { adding.value = {} }}>{say('list.add')}</Button>
            </div>
          </div>
          {!loaded.value ? <Working>{say('list.loading')}</Working> : counts.value['']! + (filter.value === 'lists' ? 1 : 0) === 0 ? <Nothing /> : <><Filters /><Listing /></>}
        </div>
      )}
      {id && (list ? <aside class="side" aria-label={say('list.details')}><Details key={id} id={id} tab={tab ?? 'overview'} side /></aside> : <Details key={id} id={id} tab={tab ?? 'overview'} />)}
      {limiting.value.length > 0 && <LimitDialog />}
      <Menu />
    </div>
  )
}

/** view lists what the list can show, and how. */
function view(): Entry[] {
  const entries: Entry[] = []
  const s = sort.value
  if (narrow.value) {
    entries.push(say('list.sort'))
    for (const c of [{ key: 'name' as SortKey, name: 'list.name' as const, descends: false }, ...all.filter((c) => usual.includes(c.key))]) {
      entries.push({ label: say(c.name), checked: s.key === c.key, one: true, run: () => setQuery({ sort: `${c.key}.${(s.key === c.key ? !s.descending : c.descends) ? 'desc' : 'asc'}` }) })
    }
  } else {
    entries.push({ label: say('list.dense'), checked: dense.value, run: () => { dense.value = !dense.value } }, say('list.columns'))
    entries.push({ label: say('list.columns.fit'), checked: columns.value === null, run: () => { columns.value = columns.value === null ? [...usual] : null } })
    const now = columns.value ?? [...document.querySelectorAll('.grid [role=columnheader]')].map((h) => /\bh-(\w+)/.exec(h.className)?.[1] ?? '')
    for (const c of all) {
      const on = now.includes(c.key)
      entries.push({ label: say(c.name), checked: on, run: () => { columns.value = all.map((x) => x.key).filter((k) => (k === c.key ? !on : now.includes(k))) } })
    }
  }
  entries.push(say('notify.title'))
  if (notifiable()) entries.push({ label: say('notify.on'), checked: notifying.value, run: () => void notify(!notifying.value).then((why) => { if (why) toast(why, { bad: true }) }) })
  else entries.push({ note: say('notify.insecure') })
  return entries
}

function Nothing(): JSX.Element {
  const lists = counts.value.lists!
  return (
    <div class="welcome">
      <Empty icon="transfers" title={say('list.none')}>
        <p>{say('list.none.more')}</p>
      </Empty>
      <div class="choices">
        <a class="choice" href="/share">
          <Icon name="share" size={26} /><strong>{say('list.share.folder')}</strong>
          <span>{say('list.share.folder.more')}</span>
        </a>
        <button type="button" class="choice" onClick={() => { adding.value = {} }}>
          <Icon name="down" size={26} /><strong>{say('list.download')}</strong>
          <span>{say('list.download.more')}</span>
        </button>
      </div>
      {lists > 0 && <p class="muted"><a href="/?show=lists">{say('list.lists.hidden', { n: lists })}</a></p>}
    </div>
  )
}

function Filters(): JSX.Element {
  const box = useRef<HTMLInputElement>(null)
  const wanted = query.value.get('focus') === 'search'
  // Before the next key, which is the first of what is searched for.
  useLayoutEffect(() => {
    if (!wanted) return
    box.current?.focus()
    setQuery({ focus: '' })
  }, [wanted])
  const c = counts.value
  return (
    <div class="filters">
      <div class="search">
        <Icon name="find" size={17} />
        <input
          ref={box} type="search" placeholder={say('list.search.by')} aria-label={say('list.search')} value={search.value}
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
          onKeyDown={(e) => {
            if (e.key === 'Escape') {
              setQuery({ q: '' })
              e.currentTarget.blur()
            }
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      <div class="chips" role="group" aria-label={say('list.show')}>
        <Chip at="" name={say('list.all')} count={c['']!} />
        {filters.map((f) => (c[f.key]! > 0 || filter.value === f.key) && <Chip key={f.key} at={f.key} name={say(f.label)} count={c[f.key]!} />)}
      </div>
      <button type="button" class="button quiet view" aria-haspopup="menu" onClick={(e) => openMenu(e.currentTarget, say('list.view'), view)}>
        <Icon name="settings" size={18} />{say(narrow.value ? 'list.sort' : 'list.view')}
      </button>
    </div>
  )
}

function Chip({ at, name, count }: { at: string; name: string; count: number }): JSX.Element {
  return (
    <button type="button" class={`chip ${at}`} aria-pressed={filter.value === at} onClick={() => setQuery({ show: at })}>
      {name} <span class="count">{number(count)}</span>
    </button>
  )
}

function Listing(): JSX.Element {
  const shown = rows.value
  return (
    <>
      <p class="offscreen" role="status">{say('list.shown', { n: shown.length })}</p>
      {shown.length === 0 ? (
        <Empty icon="find" title={say('list.nomatch')}>
          <p>{say('list.nomatch.more')}</p>
          <Button onClick={() => setQuery({ q: '', show: '' })}>{say('list.show.all')}</Button>
        </Empty>
      ) : <Grid rows={shown} />}
      <Bulk />
    </>
  )
}

function Bulk(): JSX.Element | null {
  const ts = chosen.value
  if (ts.length === 0) return null
  const running = ts.filter((t) => !isPaused(t))
  const stopped = ts.filter(isPaused)
  return (
    <div class="bulk" role="toolbar" aria-label={say('list.actions')}>
      <span class="strong">{say('list.selected', { n: ts.length })}</span>
      {running.length > 0 && <Button icon="pause" onClick={() => void pause(running)}>{say('list.pause')}</Button>}
      {stopped.length > 0 && <Button icon="play" onClick={() => void resume(stopped)}>{say('list.resume')}</Button>}
      <Button icon="verify" onClick={() => void verify(ts)}>{say('list.verify')}</Button>
      <Button icon="remove" onClick={() => { removing.value = ts }}>{say('list.remove')}</Button>
      <Button icon="more" label={say('list.more')} onClick={(e) => actions(ts, e.currentTarget as HTMLElement)} />
      <Button icon="close" variant="quiet" label={say('list.clear')} onClick={() => { selected.value = new Set() }} />
    </div>
  )
}
