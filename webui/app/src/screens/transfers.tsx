// The transfers screen: search, filters, the table, and actions on the selection.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { plural } from '../lib/format'
import { filters } from '../lib/select'
import { go, query, setQuery } from '../router'
import { isPaused, pause, removing, resume, verify } from '../state/actions'
import { loaded, transfer } from '../state/store'
import { counts, filter, rows, search, selected } from '../state/view'
import { Button, Empty, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { adding } from './add'
import { Grid } from './grid'

export function Transfers(): JSX.Element {
  return (
    <div class="screen transfers">
      <div class="head">
        <h1>Transfers</h1>
        <div class="actions">
          <Button icon="share" onClick={() => go('/share')}>Share</Button>
          <Button icon="add" variant="primary" onClick={() => { adding.value = {} }}>Add</Button>
        </div>
      </div>
      {!loaded.value ? <Working>Loading the transfers …</Working> : counts.value['']! + (filter.value === 'lists' ? 1 : 0) === 0 ? <Nothing /> : <><Filters /><Listing /></>}
    </div>
  )
}

function Nothing(): JSX.Element {
  const lists = counts.value.lists!
  return (
    <div class="welcome">
      <Empty icon="transfers" title="No transfers yet">
        <p>Share a folder from this machine and pass on the link, or download what somebody shared with you.</p>
      </Empty>
      <div class="choices">
        <a class="choice" href="/share">
          <Icon name="share" size={26} /><strong>Share a folder</strong>
          <span>shoal reads the files where they are. Nothing is copied to a server.</span>
        </a>
        <button type="button" class="choice" onClick={() => { adding.value = {} }}>
          <Icon name="down" size={26} /><strong>Download from a link</strong>
          <span>Paste or drop a link or a .torrent file anywhere on this page.</span>
        </button>
      </div>
      {lists > 0 && <p class="muted"><a href="/?show=lists">{plural(lists, 'list of a channel', 'lists of channels')}</a> {lists === 1 ? 'is' : 'are'} hidden.</p>}
    </div>
  )
}

function Filters(): JSX.Element {
  const box = useRef<HTMLInputElement>(null)
  const wanted = query.value.get('focus') === 'search'
  useEffect(() => {
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
          ref={box} type="search" placeholder="Search by name or ID" aria-label="Search transfers" value={search.value}
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
      <div class="chips" role="group" aria-label="Show">
        <Chip at="" name="All" count={c['']!} />
        {filters.map((f) => (c[f.key]! > 0 || filter.value === f.key) && <Chip key={f.key} at={f.key} name={f.label} count={c[f.key]!} />)}
      </div>
    </div>
  )
}

function Chip({ at, name, count }: { at: string; name: string; count: number }): JSX.Element {
  return (
    <button type="button" class={`chip ${at}`} aria-pressed={filter.value === at} onClick={() => setQuery({ show: at })}>
      {name} <span class="count">{count.toLocaleString('en')}</span>
    </button>
  )
}

function Listing(): JSX.Element {
  const shown = rows.value
  return (
    <>
      <p class="offscreen" role="status">{plural(shown.length, 'transfer')} shown</p>
      {shown.length === 0 ? (
        <Empty icon="find" title="No matches">
          <p>No transfer matches the search and the filter.</p>
          <Button onClick={() => setQuery({ q: '', show: '' })}>Show all transfers</Button>
        </Empty>
      ) : <Grid rows={shown} />}
      <Bulk />
    </>
  )
}

function Bulk(): JSX.Element | null {
  const ts = [...selected.value].map(transfer).filter((t): t is Transfer => !!t)
  if (ts.length === 0) return null
  const running = ts.filter((t) => !isPaused(t))
  const stopped = ts.filter(isPaused)
  return (
    <div class="bulk" role="toolbar" aria-label="Actions for the selection">
      <span class="strong">{ts.length.toLocaleString('en')} selected</span>
      {running.length > 0 && <Button icon="pause" onClick={() => void pause(running)}>Pause</Button>}
      {stopped.length > 0 && <Button icon="play" onClick={() => void resume(stopped)}>Resume</Button>}
      <Button icon="verify" onClick={() => void verify(ts)}>Verify</Button>
      <Button icon="remove" onClick={() => { removing.value = ts }}>Remove</Button>
      <Button icon="close" variant="quiet" label="Clear the selection" onClick={() => { selected.value = new Set() }} />
    </div>
  )
}
