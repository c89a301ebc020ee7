// The dialog that asks whether to delete the files of removed transfers.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import type { Info } from '../api/types'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { remove, removing } from '../state/actions'
import { Button, Dialog } from '../ui/basics'
import { selected } from '../state/view'
import { go, parts } from '../router'
import { say } from '../words'

/** below reports whether path is directly below folder. */
const below = (path: string, folder: string): boolean => path.startsWith(folder) && /^[/\\][^/\\]+$/.test(path.slice(folder.length))

const files = (all: number, copies: number): string =>
  say(all > 1 ? 'removal.files' : copies ? 'removal.copy' : 'removal.downloaded', { n: all })

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
    if (parts.peek()[0] === 't') go('/' + location.search)
  }
  if (ts.length === 0) {
    return (
      <Dialog title={say('removal.lists', { n: lists.length })} onClose={close}>
        <p>{say('removal.lists.more')}</p>
        <footer>
          <Button onClick={close}>{say('list.cancel')}</Button>
          <a class="button primary" href={lists.length === 1 ? `/find/${lists[0]!.channel}` : '/find'} onClick={close}>{say('removal.channel', { n: lists.length })}</a>
        </footer>
      </Dialog>
    )
  }
  return (
    <Dialog title={say('removal.title', { n: ts.length })} onClose={close}>
      <div class="stack">
        {ts.length === 1 && <p class="strong break"><bdi>{shown(nameOf(ts[0]!))}</bdi></p>}
        <p>
          {say(deletable.length === 0 ? 'removal.own' : 'removal.stay')}
        </p>
        {lists.length > 0 && <p>{say('removal.lists.stay', { n: lists.length })}</p>}
        {deletable.length > 0 && (
          <label class="check danger-zone">
            <input type="checkbox" checked={data} onChange={(e) => setData(e.currentTarget.checked)} />
            <span>
              {files(deletable.length, copies.length)}
              {deletable.length < ts.length && <small>{say('removal.never')}</small>}
            </span>
          </label>
        )}
      </div>
      <footer>
        <Button onClick={close}>{say('list.cancel')}</Button>
        <Button variant={data ? 'danger' : 'primary'} onClick={confirm}>{say(data ? 'removal.delete' : 'list.remove')}</Button>
      </footer>
    </Dialog>
  )
}
