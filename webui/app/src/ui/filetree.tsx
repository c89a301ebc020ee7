// A tree of files with checkboxes, which draws only the visible rows.
import type { ComponentChildren, JSX } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import type { File } from '../api/types'
import { bytes } from '../lib/format'
import { shown } from '../lib/text'
import { build, checked, flatten, type Node } from '../lib/tree'
import { Tri } from './basics'
import { Icon } from './icons'

// On a phone, a row with extra controls takes two lines.
const narrow = matchMedia('(max-width: 720px)')

/** FileTree shows files in their folders, with a checkbox for each. It draws only the visible rows: a torrent may have 100,000 files. */
export function FileTree({ files, chosen, choose, extra, label }: {
  files: readonly File[]
  chosen: (index: number) => boolean
  choose: (indexes: number[], on: boolean) => void
  extra?: (n: Node) => ComponentChildren
  label: string
}): JSX.Element {
  const root = useMemo(() => build(files), [files])
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(
    root.children.length === 1 || files.length <= 30 ? root.children.filter((c) => !c.file).map((c) => c.key) : []))
  const rowHeight = extra && narrow.matches ? 84 : 44
  const [top, setTop] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const rows = useMemo(() => flatten(root, open), [root, open])
  const height = box.current?.clientHeight || 420
  const first = Math.max(0, Math.floor(top / rowHeight) - 4)
  const slice = rows.slice(first, first + Math.ceil(height / rowHeight) + 8)
  const fold = (n: Node): void => {
    const next = new Set(open)
    if (!next.delete(n.key)) next.add(n.key)
    setOpen(next)
  }
  return (
    <div ref={box} class="tree" onScroll={(e) => setTop(Math.floor(e.currentTarget.scrollTop / rowHeight) * rowHeight)} tabIndex={0} role="region" aria-label={label}>
      <ul style={{ height: `${rows.length * rowHeight}px`, paddingTop: `${first * rowHeight}px` }}>
        {slice.map((n) => (
          <li key={n.key} class={extra ? 'full' : ''} style={{ '--depth': `${n.depth}` }}>
            <Tri state={checked(n, chosen)} label={`Include ${shown(n.name)}`} onChange={(on) => choose(n.indexes, on)} />
            {n.file ? (
              <span class="tree-name"><span class="twist" /><Icon name="file" size={17} /><bdi>{shown(n.name)}</bdi></span>
            ) : (
              <button type="button" class="tree-name" aria-expanded={open.has(n.key)} onClick={() => fold(n)}>
                <span class="twist"><Icon name="chevron" size={15} /></span><Icon name="folder" size={17} /><bdi>{shown(n.name)}</bdi>
              </button>
            )}
            <span class="tree-size">{bytes(n.total)}</span>
            {extra?.(n)}
          </li>
        ))}
      </ul>
    </div>
  )
}
