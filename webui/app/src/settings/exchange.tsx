// Taking the configuration from one node to another: a file out, a file in, and what that would change.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { base, message, send } from '../api/client'
import type { Import } from '../api/types'
import { shown } from '../lib/text'
import { toast } from '../state/toasts'
import { Button, Dialog, Pick, Problem } from '../ui/basics'
import { say, told } from '../words'
import { titleOf } from './one'
import { load } from './state'

export function Exchange(): JSX.Element {
  const [offer, setOffer] = useState<{ name: string; what: Import }>()
  const [problem, setProblem] = useState('')
  const read = async (f: File): Promise<void> => {
    setProblem('')
    try {
      setOffer({ name: f.name, what: await send<Import>('POST', '/config/compare', { text: await f.text() }) })
    } catch (e) {
      setProblem(message(e))
    }
  }
  return (
    <div class="access-part">
      <h3>{say('exchange.title')}</h3>
      <p class="muted">{say('exchange.about')}</p>
      <div class="row wrap">
        <a class="button plain" href={`${base}/config/export`} download="shoal.toml">{say('exchange.export')}</a>
        <Pick accept=".toml,application/toml,text/plain" onFiles={([f]) => void read(f!)}>{say('exchange.import')}</Pick>
      </div>
      {problem && <Problem>{problem}</Problem>}
      {offer && <Offer name={offer.name} what={offer.what} close={() => setOffer(undefined)} />}
    </div>
  )
}

function Offer({ name, what, close }: { name: string; what: Import; close: () => void }): JSX.Element {
  const [problem, setProblem] = useState('')
  const apply = async (): Promise<void> => {
    try {
      await send('PATCH', '/config', Object.fromEntries(what.changes.map((c) => [c.name, c.set])))
      close()
      await load()
      toast(say('exchange.done', { n: what.changes.length }))
    } catch (e) {
      setProblem(message(e))
    }
  }
  const value = (v: string): string => shown(v) || say('settings.none')
  return (
    <Dialog title={say('exchange.offer', { name: shown(name) })} onClose={close} wide>
      <div class="stack">
        {what.refused.length > 0 && (
          <section class="danger-zone" aria-label={say('exchange.refused')}>
            <h3>{say('exchange.refused')}</h3>
            <ul class="facts">
              {what.refused.map((r, i) => <li key={i}><strong class="nowrap">{say('exchange.line', { n: r.line })}</strong><span class="break">{r.name && <code>{shown(r.name)}</code>} {shown(told(r.why, r.why_text))}</span></li>)}
            </ul>
          </section>
        )}
        {what.changes.length === 0 ? <p>{say('exchange.nothing')}</p> : (
          <div class="table-box">
            <table>
              <caption class="offscreen">{say('exchange.changes')}</caption>
              <thead><tr><th scope="col">{say('exchange.setting')}</th><th scope="col">{say('exchange.from')}</th><th scope="col">{say('exchange.to')}</th></tr></thead>
              <tbody>
                {what.changes.map((c) => (
                  <tr key={c.name}><th scope="row">{titleOf(c)}{!c.live && <> <span class="tag">{say('settings.later')}</span></>}</th><td class="break">{value(c.from)}</td><td class="break">{value(c.to)}</td></tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p class="muted small">{say('exchange.rest', { n: what.same })}</p>
        {problem && <Problem>{problem}</Problem>}
        <div class="row">
          {what.changes.length > 0 && <Button variant="primary" onClick={() => void apply()}>{say('exchange.apply', { n: what.changes.length })}</Button>}
          <Button onClick={close}>{say('settings.cancel')}</Button>
        </div>
      </div>
    </Dialog>
  )
}
