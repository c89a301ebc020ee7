// The dialog that lists the keys.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { Dialog } from '../ui/basics'

export const helping = signal(false)

const keys: [string[], string][] = [
  [['/'], 'Search'],
  [['a'], 'Add a link or .torrent file'],
  [['s'], 'Share a folder'],
  [['j', 'k'], 'Next and previous transfer'],
  [['Enter'], 'Open the transfer'],
  [['Space'], 'Select the transfer'],
  [['Ctrl', 'A'], 'Select all shown transfers'],
  [['p'], 'Pause or resume'],
  [['Delete'], 'Remove'],
  [['Esc'], 'Clear the selection, or go back'],
  [['?'], 'Show the keys'],
]

export function Help(): JSX.Element {
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => { helping.value = false }}>
      <dl class="keys">
        {keys.map(([k, does]) => (
          <div key={does}>
            <dt>{k.map((c) => <kbd key={c}>{c}</kbd>)}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">You can paste or drop links and .torrent files anywhere on this page.</p>
    </Dialog>
  )
}
