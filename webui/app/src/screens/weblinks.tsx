// The web links of a transfer: making one, what each can do and where it is, and ending it.
import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Proof, Transfer, WebLink } from '../api/types'
import { ago } from '../lib/format'
import { copy } from '../state/actions'
import { toast } from '../state/toasts'
import { useWebLinks, type WebLinks as Links } from '../state/weblinks'
import { Button, Pair, Problem } from '../ui/basics'
import { ends, expires, Expiry } from '../ui/expiry'
import { QR } from '../ui/qr'
import { number, say, sayParts } from '../words'

/** Card is all web links of a transfer. */
export function Card({ t }: { t: Transfer }): JSX.Element {
  const links = useWebLinks(t.id)
  const [asking, setAsking] = useState(false)
  const all = links.all ?? []
  const live = all.filter((l) => !l.ended)
  const on = asking || live.length > 0
  const turn = (to: boolean): void => {
    if (to) setAsking(true)
    else {
      setAsking(false)
      void end(live, links)
    }
  }
  return (
    <section class="card weblinks">
      <h2>{say('weblinks.title')}</h2>
      <label class="check">
        <input type="checkbox" role="switch" checked={on} disabled={!links.all} onChange={(e) => turn(e.currentTarget.checked)} />
        <span>{say('weblinks.switch')}<small>{say('weblinks.switch.what')}</small></span>
      </label>
      {links.problem && <Problem>{links.problem}</Problem>}
      {asking && <Make t={t} links={links} done={() => setAsking(false)} />}
      {all.map((l) => (l.ended ? <Over key={l.id} l={l} links={links} /> : <One key={l.id} l={l} links={links} />))}
      {live.length > 0 && !asking && <div class="row"><Button icon="add" onClick={() => setAsking(true)}>{say('weblinks.make.more')}</Button></div>}
    </section>
  )
}

/** end ends links; those that have ended leave the list. */
async function end(which: readonly WebLink[], links: Links): Promise<void> {
  try {
    for (const l of which) await send('DELETE', `/web-links/${l.id}`)
    const n = which.filter((l) => !l.ended).length
    if (n > 0) toast(say('weblinks.ended'))
  } catch (e) {
    toast(message(e), { bad: true })
  }
  await links.again()
}

/** Make asks what a new link is to be, and makes it. */
function Make({ t, links, done }: { t: Transfer; links: Links; done: () => void }): JSX.Element {
  const [life, setLife] = useState(0)
  const [most, setMost] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const make = async (e: Event): Promise<void> => {
    e.preventDefault()
    const max = most.trim() ? Number(most) : 0
    if (most.trim() && !(Number.isInteger(max) && max > 0)) return setProblem(say('weblinks.max.bad'))
    setBusy(true)
    setProblem('')
    try {
      await send('POST', transferPath(t.id, '/web-links'), {
        ...expires(life), ...(max ? { max_downloads: max } : {}), ...(password ? { password } : {}),
      })
      await links.again()
      done()
    } catch (err) {
      setProblem(message(err))
      setBusy(false)
    }
  }
  return (
    <form class="stack" onSubmit={(e) => void make(e)}>
      <Expiry life={life} set={setLife} never={say('weblinks.expires.never')} />
      <label class="field">{say('weblinks.max')}
        <input inputMode="numeric" value={most} placeholder={say('weblinks.max.none')} autocomplete="off" aria-describedby="weblink-max" onInput={(e) => setMost(e.currentTarget.value)} />
        <small class="muted" id="weblink-max">{say('weblinks.max.what')}</small>
      </label>
      <label class="field">{say('weblinks.password')}
        <input type="password" value={password} maxLength={1000} autocomplete="new-password" aria-describedby="weblink-password" onInput={(e) => setPassword(e.currentTarget.value)} />
        <small class="muted" id="weblink-password">{say('weblinks.password.what')}</small>
      </label>
      {problem && <Problem>{problem}</Problem>}
      <div class="row"><Button type="submit" variant="primary" disabled={busy}>{say('weblinks.make')}</Button><Button onClick={done}>{say('button.cancel')}</Button></div>
    </form>
  )
}

/** One is a link that works. */
function One({ l, links }: { l: WebLink; links: Links }): JSX.Element {
  const others = l.others ?? []
  const former = l.former ?? []
  return (
    <article class="weblink" aria-label={say('weblinks.switch')}>
      {l.url ? (
        <>
          <code class="break" tabIndex={0} role="group" aria-label={say('weblinks.switch')}>{l.url}</code>
          <div class="row wrap">
            <Button icon="copy" variant="primary" onClick={() => void copy(l.url, say('weblinks.copied'))}>{say('weblinks.copy')}</Button>
            <Button icon="close" onClick={() => void end([l], links)}>{say('weblinks.end')}</Button>
          </div>
          <QR text={l.url} label={say('weblinks.qr')} />
        </>
      ) : (
        <>
          <Problem>{say('weblinks.unserved')}</Problem>
          <div class="row"><Button icon="close" onClick={() => void end([l], links)}>{say('weblinks.end')}</Button></div>
        </>
      )}
      <dl class="pairs">
        <Pair name={say('weblinks.can')}>{say(l.max_downloads ? 'weblinks.can.download' : 'weblinks.can.view')}</Pair>
        <Pair name={say('weblinks.who')}>{say(l.password ? 'weblinks.who.password' : 'weblinks.who.all')}</Pair>
        <Pair name={say('weblinks.downloads')}>{l.max_downloads ? say('weblinks.downloads.of', { done: l.downloads, most: l.max_downloads }) : number(l.downloads)}</Pair>
        <Pair name={say('weblinks.expires')}>{l.expires ? ends(l.expires) : say('weblinks.expires.never')}</Pair>
        {l.url && <Pair name={say('weblinks.reach')}><Reach at={new URL(l.url).host} proof={l.reachable ?? 'unknown'} /></Pair>}
        {l.url && <Pair name={say('weblinks.wire')}>{say(l.encrypted ? 'weblinks.wire.tls' : 'weblinks.wire.plain')}</Pair>}
        {others.length > 0 && <Pair name={say('weblinks.others')}><Urls>{others.map((u) => <li key={u}><code class="break">{u}</code></li>)}</Urls></Pair>}
        {former.length > 0 && (
          <Pair name={say('weblinks.former')}>
            <Urls>{former.map((f) => <li key={f.url}><s><code class="break">{f.url}</code></s> <span>{say(f.works ? 'weblinks.former.works' : 'weblinks.former.dead')}</span></li>)}</Urls>
          </Pair>
        )}
      </dl>
    </article>
  )
}

const Urls = ({ children }: { children: ComponentChildren }): JSX.Element => <ul class="urls">{children}</ul>

const reaches = { reachable: 'weblinks.reach.reachable', unreachable: 'weblinks.reach.unreachable', unknown: 'weblinks.reach.unknown' } as const

function Reach({ at, proof }: { at: string; proof: Proof }): JSX.Element {
  return <span><span class={`dot ${proof}`} /> {sayParts(reaches[proof], { at: <bdi class="break">{at}</bdi> })} <a href="/network">{say('weblinks.reach.more')}</a></span>
}

/** Over is a link that has ended: it stays in the list until it is removed. */
function Over({ l, links }: { l: WebLink; links: Links }): JSX.Element {
  const used = !!l.max_downloads && l.downloads >= l.max_downloads
  const why = used ? say('weblinks.over.used', { n: l.downloads }) : say('weblinks.over.expired', { when: ago(l.expires) })
  return (
    <article class="weblink over" aria-label={say('weblinks.switch')}>
      <p><s><code class="break">{l.url || l.id}</code></s></p>
      <p class="row spread"><span class="muted">{why}</span><Button onClick={() => void end([l], links)}>{say('weblinks.remove')}</Button></p>
    </article>
  )
}
