// The dialog that asks whether to delete the files of removed transfers.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import type { Info } from '../api/types'
import { plural } from '../lib/format'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { remove, removing } from '../state/actions'
import { Button, Dialog } from '../ui/basics'
import { selected } from '../state/view'
import { go, parts } from '../router'

/** below reports whether path is directly below folder. */
const below = (path: string, folder: string): boolean => path.startsWith(folder) && /^[/\\][^/\\]+$/.test(path.slice(folder.length))

const files = (all: number, copies: number): string =>
  all > 1 ? `the files of ${plural(all, 'transfer')}` : copies ? 'the uploaded copy' : 'the downloaded files'

/** Removal asks whether to delete the data as well. */
export function Removal(): JSX.Element {
  // The list of a channel is removed with the channel.
  const lists = removing.value.filter((t) => t.channel)
  const ts = removing.value.filter((t) => !t.channel)
  const [data, setData] = useState(false)
  const [uploads, setUploads] = useState('')
  // While this is unknown, no shared files are offered for deletion.
  useEffect(() => void get<Info>('/node').then((i) => setUploads(i.uploads), () => {}), [])
  const copies = ts.filter((t) => t.own && uploads !== '' && below(t.path, uploads))
  const deletable = [...ts.filter((t) => !t.own), ...copies]
  const close = (): void => { removing.value = [] }
  const confirm = (): void => {
    remove(ts, data)
    selected.value = new Set()
    close()
    if (parts.peek()[0] === 't') go('/')
  }
  if (ts.length === 0) {
    return (
      <Dialog title={lists.length === 1 ? 'This belongs to a channel' : 'These belong to channels'} onClose={close}>
        <p>The list of a channel is removed when you unfollow the channel, or delete it if it is yours.</p>
        <footer>
          <Button onClick={close}>Cancel</Button>
          <a class="button primary" href={lists.length === 1 ? `/find/${lists[0]!.channel}` : '/find'} onClick={close}>Show the channel{lists.length > 1 && 's'}</a>
        </footer>
      </Dialog>
    )
  }
  return (
    <Dialog title={ts.length === 1 ? 'Remove this transfer?' : `Remove ${plural(ts.length, 'transfer')}?`} onClose={close}>
      <div class="stack">
        {ts.length === 1 && <p class="strong break"><bdi>{shown(nameOf(ts[0]!))}</bdi></p>}
        <p>
          {deletable.length === 0 ? 'The node stops sharing it. Your files stay where they are.'
            : 'The files stay on disk unless you choose to delete them.'}
        </p>
        {lists.length > 0 && <p>{plural(lists.length, 'list of a channel stays', 'lists of channels stay')}: {lists.length === 1 ? 'it is' : 'they are'} removed when the channel is unfollowed.</p>}
        {deletable.length > 0 && (
          <label class="check danger-zone">
            <input type="checkbox" checked={data} onChange={(e) => setData(e.currentTarget.checked)} />
            <span>
              Also delete {files(deletable.length, copies.length)} from the disk
              {deletable.length < ts.length && <small>Files that you share from their own folder are never deleted.</small>}
            </span>
          </label>
        )}
      </div>
      <footer>
        <Button onClick={close}>Cancel</Button>
        <Button variant={data ? 'danger' : 'primary'} onClick={confirm}>{data ? 'Remove and delete files' : 'Remove'}</Button>
      </footer>
    </Dialog>
  )
}
