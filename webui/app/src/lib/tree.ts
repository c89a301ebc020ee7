// The files of a transfer as a tree of folders.
import type { File } from '../api/types'

/** Node is a folder or file of a transfer, with the sums of all files below it. */
export interface Node {
  key: string
  name: string
  depth: number
  file?: File
  children: Node[]
  indexes: number[]
  bytes: number
  total: number
}

/** build makes the tree of a transfer's files, folders first, by name. */
export function build(files: readonly File[]): Node {
  const root: Node = { key: '', name: '', depth: -1, children: [], indexes: [], bytes: 0, total: 0 }
  const folders = new Map<string, Node>([['', root]])
  for (const f of files) {
    const parts = f.path.split('/')
    let at = root
    let key = ''
    for (const part of parts.slice(0, -1)) {
      key += part + '/'
      let next = folders.get(key)
      if (!next) {
        next = { key, name: part, depth: at.depth + 1, children: [], indexes: [], bytes: 0, total: 0 }
        folders.set(key, next)
        at.children.push(next)
      }
      at = next
    }
    at.children.push({
      key: `${f.index}`, name: parts[parts.length - 1]!, depth: at.depth + 1, file: f,
      children: [], indexes: [f.index], bytes: f.bytes, total: f.total,
    })
  }
  sum(root)
  return root
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

function sum(n: Node): void {
  for (const c of n.children) {
    if (!c.file) sum(c)
    n.bytes += c.bytes
    n.total += c.total
    for (const i of c.indexes) n.indexes.push(i)
  }
  n.children.sort((a, b) => Number(!!a.file) - Number(!!b.file) || collator.compare(a.name, b.name))
}

/** flatten lists the visible nodes when the folders in open are expanded. */
export function flatten(root: Node, open: ReadonlySet<string>): Node[] {
  const out: Node[] = []
  const walk = (n: Node): void => {
    for (const c of n.children) {
      out.push(c)
      if (!c.file && open.has(c.key)) walk(c)
    }
  }
  walk(root)
  return out
}

export type Check = 'all' | 'none' | 'some'

/** checked reports whether all, none or some of the files below n are selected. */
export function checked(n: Node, chosen: (index: number) => boolean): Check {
  let yes = 0
  for (const i of n.indexes) if (chosen(i)) yes++
  return yes === 0 ? 'none' : yes === n.indexes.length ? 'all' : 'some'
}
