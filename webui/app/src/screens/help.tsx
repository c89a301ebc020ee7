// The dialog that lists the keys.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { shortcuts } from '../lib/keys'
import { Dialog } from '../ui/basics'
import { say } from '../words'

export const helping = signal(false)

const caps = (): Record<string, string> => ({ ' ': say('keys.space'), Escape: say('keys.escape'), Delete: say('keys.delete'), Enter: say('keys.enter') })

export function Help(): JSX.Element {
  const names = caps()
  return (
    <Dialog title={say('help.title')} onClose={() => { helping.value = false }}>
      <dl class="keys">
        {Object.entries(shortcuts).map(([name, { keys, ctrl, does }]) => (
          <div key={name}>
            <dt>{[...(ctrl ? [say('keys.ctrl')] : []), ...keys].map((c) => <kbd key={c}>{names[c] ?? (ctrl ? c.toUpperCase() : c)}</kbd>)}</dt>
            <dd>{say(does)}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">{say('help.more')}</p>
    </Dialog>
  )
}
