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
import { say } from '../words'

/** onceMore says what it costs to open what is there. */
export const onceMore = (): string => say('unseal.once')

/** unsealing is set while the dialog is open. */
export const unsealing = signal<Transfer | undefined>(undefined)

/** folder is where the download of t is. */
const folder = (t: Transfer): string => t.path.replace(/[/\\][^/\\]*$/, '')

/** unseal gives the node the full link of t, which then opens what is there. */
export async function unseal(t: Transfer, link: string): Promise<void> {
  put(await send<Transfer>('POST', '/transfers', { link, output: folder(t) }))
  toast(say('unseal.has'))
}

export function Unseal(): JSX.Element {
  const t = unsealing.value!
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const close = (): void => { unsealing.value = undefined }
  const submit = async (): Promise<void> => {
    const [link, ...more] = links(text)
    if (!link || more.length) return setProblem(say('unseal.not.one'))
    if (!names(link, [t.id, t.v1, t.v2])) return setProblem(say('unseal.other'))
    if (!hasKey(link)) return setProblem(say('unseal.no.key'))
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
    <Dialog title={say('unseal.title')} onClose={close}>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void submit() }}>
        <label for="full-link">{say('unseal.link')}</label>
        <textarea
          id="full-link" rows={4} value={text} autofocus spellcheck={false} placeholder="magnet:?xt=urn:btih:…&x.k=…"
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); void submit() } }}
        />
        <p class="muted">{say('unseal.then', { once: onceMore() })}</p>
        {problem && <Problem>{problem}</Problem>}
      </form>
      <footer>
        <Button onClick={close}>{say('button.cancel')}</Button>
        <Button variant="primary" icon="lock" disabled={busy || !text.trim()} onClick={() => void submit()}>{say('unseal.open')}</Button>
      </footer>
    </Dialog>
  )
}
