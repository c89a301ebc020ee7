// A tree of files with checkboxes and a search, which draws only the visible rows.
import type { ComponentChildren, JSX } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { File } from '../api/types'
import { bytes } from '../lib/format'
import { rem } from '../state/rem'
import { fold, shown } from '../lib/text'
import { build, checked, flatten, type Node } from '../lib/tree'
import { say } from '../words'
import { Button, Tri } from './basics'
import { Icon } from './icons'

// Where there is less room than this many rem, as on a phone or beside the list, a row with
// extra controls takes two lines; with large letters, three.
const broad = 42
const small = 14

// A search is of use where one has to scroll.
const many = 8

/** FileTree shows files in their folders, with a checkbox for each if they can be chosen. It draws only the visible rows: a torrent may have 100,000 files. */
export function FileTree({ files, chosen, choose, extra, label }: {
  files: readonly File[]
  chosen: (index: number) => boolean
  choose?: ((indexes: number[], on: boolean) => void) | undefined
  extra?: (n: Node) => ComponentChildren
  label: string
}): JSX.Element {
  const [query, setQuery] = useState('')
  const words = fold(query).split(/\s+/).filter(Boolean)
  const found = useMemo(() => (words.length ? files.filter((f) => { const path = fold(f.path); return words.every((w) => path.includes(w)) }) : files), [files, query])
  const root = useMemo(() => build(found), [found])
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(
    root.children.length === 1 || files.length <= 30 ? root.children.filter((c) => !c.file).map((c) => c.key) : []))
  // What is found is seen without opening folders.
  const unfolded = useMemo(() => (words.length ? folders(root) : open), [root, open, query])
  const box = useRef<HTMLDivElement>(null)
  const [room, setRoom] = useState(0) // in pixels
  useLayoutEffect(() => {
    const measure = (): void => setRoom(box.current!.clientWidth)
    measure()
    const resized = new ResizeObserver(measure)
    resized.observe(box.current!)
    return () => resized.disconnect()
  }, [])
  const narrow = !!extra && room < broad * rem.value
  const rowHeight = rem.value * (!narrow ? 2.75 : room < small * rem.value ? 7.5 : 5.25)
  const [top, setTop] = useState(0)
  const rows = useMemo(() => flatten(root, unfolded), [root, unfolded])
  const height = box.current?.clientHeight || 420 * (rem.value / 16)
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight) - 4, rows.length - 1))
  const slice = rows.slice(first, first + Math.ceil(height / rowHeight) + 8)
  const toggle = (n: Node): void => {
    const next = new Set(open)
    if (!next.delete(n.key)) next.add(n.key)
    setOpen(next)
  }
  const all = (on: boolean): void => choose?.(found.map((f) => f.index), on)
  let count = 0
  let size = 0
  for (const f of files) if (chosen(f.index)) { count++; size += f.total }
  return (
    <div class="tree-box">
      <div class="row wrap tree-tools">
        {files.length > many && (
          <span class="search"><Icon name="find" size={17} /><input type="search" value={query} aria-label={say('files.search')} placeholder={say('files.search')} onInput={(e) => { setQuery(e.currentTarget.value); setTop(0); if (box.current) box.current.scrollTop = 0 }} /></span>
        )}
        {choose && files.length > 1 && (
          <span class="row">
            <Button onClick={() => all(true)}>{words.length ? say('files.all.found') : say('files.all')}</Button>
            <Button onClick={() => all(false)}>{words.length ? say('files.none.found') : say('files.none')}</Button>
          </span>
        )}
        <span class="muted figures" role="status">
          {words.length ? say('files.found', { n: found.length }) : say('files.chosen', { n: count, all: files.length, size: bytes(size) })}
        </span>
      </div>
      <div ref={box} class={`tree${narrow ? ' narrow' : ''}`} onScroll={(e) => setTop(Math.floor(e.currentTarget.scrollTop / rowHeight) * rowHeight)} tabIndex={0} role="region" aria-label={label}>
        <ul style={{ height: `${rows.length * rowHeight}px`, paddingTop: `${first * rowHeight}px`, '--high': `${rowHeight}px` }}>
          {slice.map((n) => (
            <li key={n.key} style={{ '--depth': `${n.depth}` }}>
              {choose && <Tri state={checked(n, chosen)} label={say('files.include', { name: shown(n.name) })} onChange={(on) => choose(n.indexes, on)} />}
              {n.file ? (
                <span class="tree-name"><span class="twist" /><Icon name="file" size={17} /><bdi>{shown(n.name)}</bdi></span>
              ) : (
                <button type="button" class="tree-name" aria-expanded={unfolded.has(n.key)} onClick={() => toggle(n)}>
                  <span class="twist"><Icon name="chevron" size={15} /></span><Icon name="folder" size={17} /><bdi>{shown(n.name)}</bdi>
                </button>
              )}
              <span class="tree-size">{bytes(n.total)}</span>
              {extra?.(n)}
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}

/** folders are the keys of all folders below n. */
function folders(n: Node): Set<string> {
  const keys = new Set<string>()
  const walk = (at: Node): void => {
    for (const c of at.children) if (!c.file) { keys.add(c.key); walk(c) }
  }
  walk(n)
  return keys
}
