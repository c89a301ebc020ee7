// What waits for a restart of the node, the button for it, and a start that failed.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message, send } from '../api/client'
import { ago } from '../lib/format'
import { shown } from '../lib/text'
import { toast } from '../state/toasts'
import { Button, Dialog, Working } from '../ui/basics'
import { say, told } from '../words'
import { titleOf } from './one'
import { again, load, restart, restarting } from './state'

/** Waiting tells of changes that need a restart; it is there only if there are some. */
export function Waiting(): JSX.Element | null {
  const pending = restart.value?.pending ?? []
  const failed = restart.value?.failed
  return (
    <>
      {failed && (
        <section class="card danger-zone" aria-label={say('restart.failed')} role="alert">
          <h2>{say('restart.failed')}</h2>
          <p>{say('restart.failed.why', { when: ago(failed.time) })} <span class="break">{shown(told(failed.error, failed.error_text))}</span></p>
          <ul class="facts">
            {Object.entries(failed.settings).map(([name, value]) => <li key={name}><strong>{titleOf({ name })}</strong><code class="break"><bdi>{shown(value) || say('settings.none')}</bdi></code></li>)}
          </ul>
          <p class="row"><Button onClick={() => void send('DELETE', '/restart').then(load, (e) => toast(message(e), { bad: true }))}>{say('restart.dismiss')}</Button></p>
        </section>
      )}
      {restarting.value ? <section class="card"><Working>{say('restart.working')}</Working></section>
        : pending.length > 0 && (
          <section class="card note-card" aria-label={say('restart.pending.title')}>
            <div class="row wrap spread">
              <p>{say('restart.pending', { n: pending.length, names: pending.map((name) => titleOf({ name })).join(', ') })}</p>
              {restart.value?.can ? <Button variant="primary" onClick={() => void again()}>{say('restart.now')}</Button> : <small>{say('restart.cannot')}</small>}
            </div>
          </section>
        )}
    </>
  )
}

/** RestartButton restarts the node also when nothing waits for it. */
export function RestartButton(): JSX.Element | null {
  const [asking, setAsking] = useState(false)
  if (!restart.value?.can) return null
  return (
    <>
      <Button disabled={restarting.value} onClick={() => setAsking(true)}>{say('restart.button')}</Button>
      {asking && (
        <Dialog title={say('restart.button')} onClose={() => setAsking(false)}>
          <div class="stack">
            <p>{say('restart.ask')}</p>
            <div class="row"><Button variant="primary" onClick={() => { setAsking(false); void again() }}>{say('restart.now')}</Button><Button onClick={() => setAsking(false)}>{say('settings.cancel')}</Button></div>
          </div>
        </Dialog>
      )}
    </>
  )
}
