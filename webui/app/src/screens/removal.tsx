import type { JSX } from 'preact'
import { plural } from '../lib/format'
import { shown } from '../lib/text'
import { remove, removing } from '../state/actions'
import { Button, Dialog } from '../ui/basics'
import { useState } from 'preact/hooks'
import { selected } from '../state/view'
import { go, parts } from '../router'

/** Removal asks what becomes of the data; forgetting alone can be undone. */
export function Removal(): JSX.Element {
  const ts = removing.value
  const [data, setData] = useState(false)
  const fetched = ts.filter((t) => !t.own)
  const close = (): void => { removing.value = [] }
  const confirm = (): void => {
    remove(ts, data)
    selected.value = new Set()
    close()
    if (parts.peek()[0] === 't') go('/')
  }
  return (
    <Dialog title={ts.length === 1 ? 'Remove this transfer?' : `Remove ${plural(ts.length, 'transfer')}?`} onClose={close}>
      <div class="stack">
        {ts.length === 1 && <p class="strong break"><bdi>{shown(ts[0]!.name)}</bdi></p>}
        <p>
          {fetched.length === 0 ? 'The node stops sharing it. Your files stay where they are.'
            : 'The node forgets it. The files stay on the disk unless you choose otherwise.'}
        </p>
        {fetched.length > 0 && (
          <label class="check danger-zone">
            <input type="checkbox" checked={data} onChange={(e) => setData(e.currentTarget.checked)} />
            <span>
              Also delete {fetched.length === 1 ? 'the fetched files' : `the files of ${plural(fetched.length, 'fetched transfer')}`} from the disk
              {fetched.length < ts.length && <small>What you share from its own place is never deleted.</small>}
            </span>
          </label>
        )}
      </div>
      <footer>
        <Button onClick={close}>Keep</Button>
        <Button variant={data ? 'danger' : 'primary'} onClick={confirm}>{data ? 'Remove and delete files' : 'Remove'}</Button>
      </footer>
    </Dialog>
  )
}
