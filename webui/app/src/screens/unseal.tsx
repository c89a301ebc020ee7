// The dialog that takes the full link of a sealed share that the node cannot read.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message, send } from '../api/client'
import type { Transfer } from '../api/types'
import { hasKey, links, names } from '../lib/text'
import { put } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Dialog, Problem } from '../ui/basics'

/** onceMore says what it costs to open what is there. */
export const onceMore = 'Nothing is downloaded again. The files need the space on the disk once more, until all of them are written.'

/** unsealing is set while the dialog is open. */
export const unsealing = signal<Transfer | undefined>(undefined)

/** folder is where the download of t is. */
const folder = (t: Transfer): string => t.path.replace(/[/\\][^/\\]*$/, '')

/** unseal gives the node the full link of t, which then opens what is there. */
export async function unseal(t: Transfer, link: string): Promise<void> {
  put(await send<Transfer>('POST', '/transfers', { link, output: folder(t) }))
  toast('The node has the key now')
}

export function Unseal(): JSX.Element {
  const t = unsealing.value!
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const close = (): void => { unsealing.value = undefined }
  const submit = async (): Promise<void> => {
    const [link, ...more] = links(text)
    if (!link || more.length) return setProblem('This is not one link: paste the full link of this share')
    if (!names(link, [t.id, t.v1, t.v2])) return setProblem('This link names another share')
    if (!hasKey(link)) return setProblem('This link has no key: it is the one that this node has already')
    setBusy(true)
    setProblem('')
    try {
      await unseal(t, link)
      close()
    } catch (e) {
      setProblem(message(e))
      setBusy(false)
    }
  }
  return (
    <Dialog title="Open with the full link" onClose={close}>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void submit() }}>
        <label for="full-link">Full link</label>
        <textarea
          id="full-link" rows={4} value={text} autofocus spellcheck={false} placeholder="magnet:?xt=urn:btih:…&x.k=…"
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); void submit() } }}
        />
        <p class="muted">Then this node, and whoever uses it, can read the share. {onceMore}</p>
        {problem && <Problem>{problem}</Problem>}
      </form>
      <footer>
        <Button onClick={close}>Cancel</Button>
        <Button variant="primary" icon="lock" disabled={busy || !text.trim()} onClick={() => void submit()}>Open</Button>
      </footer>
    </Dialog>
  )
}
