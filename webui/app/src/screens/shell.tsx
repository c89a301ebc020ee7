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
import { helping } from './help'

const places: { path: string; name: string; icon: IconName; key?: string }[] = [
  { path: '/', name: 'Transfers', icon: 'transfers' },
  { path: '/share', name: 'Share', icon: 'share' },
  { path: '/find', name: 'Find', icon: 'find' },
  { path: '/network', name: 'Network', icon: 'network' },
  { path: '/settings', name: 'Settings', icon: 'settings' },
]

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  const first = parts.value[0]
  const at = first === undefined || first === 't' ? '/' : '/' + first
  const s = stats.value
  // A share that fails is not kept as a transfer: its reason is said here.
  useEffect(() => onNotice((n) => { if (n.event === 'error' && n.message && n.transfer?.own) toast(n.message, { bad: true }) }), [])
  useEffect(() => {
    const timer = setInterval(() => { if (link.peek().state === 'live') sample() }, 1000)
    return () => clearInterval(timer)
  }, [])
  useEffect(() => {
    const name = places.find((p) => p.path === at)?.name
    document.title = name ? `${name} · shoal` : 'shoal'
  }, [at])
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to the content</a>
      <header class="rail">
        <a class="brand" href="/" aria-label="shoal, show transfers"><Mark /><span>shoal</span></a>
        <nav aria-label="Screens">
          {places.map((p) => (
            <a key={p.path} href={p.path} aria-current={p.path === at ? 'page' : undefined}>
              <Icon name={p.icon} /><span>{p.name}</span>
              {p.path === '/network' && <Dot />}
            </a>
          ))}
        </nav>
        <dl class="vitals">
          <div class="down" title="Download rate, all transfers">
            <dt><Icon name="down" size={15} /><span class="offscreen">Down</span></dt>
            <dd>{(s && rate(s.down)) || '0 B/s'}</dd>
          </div>
          <div class="up" title="Upload rate, all transfers">
            <dt><Icon name="up" size={15} /><span class="offscreen">Up</span></dt>
            <dd>{(s && rate(s.up)) || '0 B/s'}</dd>
          </div>
          <div class="free" title="Free space in the download folder">
            <dt>Free</dt>
            <dd>{s && s.free >= 0 ? bytes(s.free) : '–'}</dd>
          </div>
        </dl>
        <button type="button" class="keys-hint" onClick={() => { helping.value = true }}>
          <kbd>?</kbd> Keys
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Lost />
        {children}
      </main>
    </div>
  )
}

const dots = {
  reachable: 'Strangers can reach this node',
  unreachable: 'Strangers cannot reach this node',
  unknown: 'It is unknown whether strangers can reach this node',
}

function Dot(): JSX.Element {
  const r = reach.value
  return <span class={`dot ${r}`} role="img" aria-label={dots[r]} title={dots[r]} />
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
  if (l.state === 'connecting') return <div role="status"><p class="banner">Connecting to the node …</p></div>
  const seconds = Math.max(0, Math.ceil((l.retry - now) / 1000))
  return (
    <div class="banner bad">
      <Icon name="alert" size={18} />
      <span role="status">{l.why}. The page may be out of date.</span>
      <span class="muted" aria-hidden="true">{seconds ? `Trying again in ${seconds} s` : 'Trying again …'}</span>
      <button type="button" class="link" onClick={retry}>Try now</button>
    </div>
  )
}
