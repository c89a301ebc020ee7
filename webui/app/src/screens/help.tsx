import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { Dialog } from '../ui/basics'

export const helping = signal(false)

const keys: [string[], string][] = [
  [['/'], 'Search'],
  [['a'], 'Add a link or .torrent file'],
  [['s'], 'Share a folder'],
  [['j', 'k'], 'Next and previous transfer'],
  [['Enter'], 'Open it'],
  [['Space'], 'Select it'],
  [['Ctrl', 'A'], 'Select all that are shown'],
  [['p'], 'Pause or resume'],
  [['Delete'], 'Remove'],
  [['Esc'], 'Forget the selection, go back'],
  [['?'], 'This list'],
]

export function Help(): JSX.Element {
  return (
    <Dialog title="Keys" onClose={() => { helping.value = false }}>
      <dl class="keys">
        {keys.map(([k, does]) => (
          <div key={does}>
            <dt>{k.map((c) => <kbd key={c}>{c}</kbd>)}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">Links and .torrent files can be pasted or dropped anywhere on this page.</p>
    </Dialog>
  )
}
