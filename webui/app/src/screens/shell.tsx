// The frame of every screen: navigation, rates, and the state of the connection.
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { bytes, rate } from '../lib/format'
import { parts } from '../router'
import { reach } from '../state/reach'
import { toast } from '../state/toasts'
import { sample, stats } from '../state/store'
import { link, retry, onNotice } from '../state/stream'
import { Icon, Mark, type IconName } from '../ui/icons'
import { say, told, type Key } from '../words'
import { place } from '../state/tab'
import { helping } from './help'
import { Plain } from './plain'
import { UploadBar } from './uploading'

const places: { path: string; name: Key; icon: IconName }[] = [
  { path: '/', name: 'shell.transfers', icon: 'transfers' },
  { path: '/share', name: 'shell.share', icon: 'share' },
  { path: '/find', name: 'shell.find', icon: 'find' },
  { path: '/network', name: 'shell.network', icon: 'network' },
  { path: '/settings', name: 'shell.settings', icon: 'settings' },
]

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  const first = parts.value[0]
  const at = first === undefined || first === 't' ? '/' : '/' + first
  const s = stats.value
  // A share that fails is not kept as a transfer: its reason is said here.
  useEffect(() => onNotice((n) => { if (n.event === 'error' && n.message && n.transfer?.own) toast(told(n.message, n.message_text), { bad: true }) }), [])
  useEffect(() => {
    const timer = setInterval(() => { if (link.peek().state === 'live') sample() }, 1000)
    return () => clearInterval(timer)
  }, [])
  useEffect(() => {
    const name = places.find((p) => p.path === at)?.name
    place.value = name ? say(name) : ''
  }, [at])
  return (
    <div class="shell">
      <a class="skip" href="#main">{say('shell.skip')}</a>
      <header class="rail">
        <a class="brand" href="/" aria-label={say('shell.home')}><Mark /><span>shoal</span></a>
        <nav aria-label={say('shell.screens')}>
          {places.map((p) => (
            <a key={p.path} href={p.path} aria-current={p.path === at ? 'page' : undefined}>
              <Icon name={p.icon} /><span>{say(p.name)}</span>
              {p.path === '/network' && <Dot />}
            </a>
          ))}
        </nav>
        <dl class="vitals">
          <div class="down" title={say('shell.down.title')}>
            <dt><Icon name="down" size={15} /><span class="offscreen">{say('shell.down')}</span></dt>
            <dd>{(s && rate(s.down)) || '0 B/s'}</dd>
          </div>
          <div class="up" title={say('shell.up.title')}>
            <dt><Icon name="up" size={15} /><span class="offscreen">{say('shell.up')}</span></dt>
            <dd>{(s && rate(s.up)) || '0 B/s'}</dd>
          </div>
          <div class="free" title={say('shell.free.title')}>
            <dt>{say('shell.free')}</dt>
            <dd>{s && s.free >= 0 ? bytes(s.free) : '–'}</dd>
          </div>
        </dl>
        <button type="button" class="keys-hint" onClick={() => { helping.value = true }}>
          <kbd>?</kbd> {say('shell.keys')}
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Lost />
        <Plain />
        <UploadBar />
        {children}
      </main>
    </div>
  )
}

const dots = {
  reachable: 'shell.reachable',
  unreachable: 'shell.unreachable',
  unknown: 'shell.unknown',
} as const

function Dot(): JSX.Element {
  const r = reach.value
  return <span class={`dot ${r}`} role="img" aria-label={say(dots[r])} title={say(dots[r])} />
}

/** Lost is the banner while the connection to the node is lost. */
function Lost(): JSX.Element {
  const l = link.value
  const [now, setNow] = useState(Date.now())
  const [slow, setSlow] = useState(false)
  useEffect(() => {
    if (l.state !== 'lost') return
    setNow(Date.now())
    const t = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(t)
  }, [l])
  useEffect(() => {
    // No banner for a node that answers at once.
    setSlow(false)
    if (l.state !== 'connecting') return
    const t = setTimeout(() => setSlow(true), 1500)
    return () => clearTimeout(t)
  }, [l.state])
  if (l.state === 'live' || (l.state === 'connecting' && !slow)) return <div role="status" />
  if (l.state === 'connecting') return <div role="status"><p class="banner">{say('shell.connecting')}</p></div>
  const seconds = Math.max(0, Math.ceil((l.retry - now) / 1000))
  return (
    <div class="banner bad">
      <Icon name="alert" size={18} />
      <span role="status">{say('shell.lost', { why: l.why })}</span>
      <span class="muted" aria-hidden="true">{seconds ? say('shell.retry', { n: seconds }) : say('shell.retrying')}</span>
      <button type="button" class="link" onClick={retry}>{say('shell.retry.now')}</button>
    </div>
  )
}
