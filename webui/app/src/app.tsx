// The whole page: which screen is shown, the keys, and what is pasted or dropped anywhere.
import type { JSX } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { message, signedIn } from './api/client'
import { isPicture } from './lib/code'
import { given, isTorrent, walk } from './lib/drop'
import { pressed } from './lib/keys'
import { links } from './lib/text'
import { follow, go, parts } from './router'
import { Add, adding, offer } from './screens/add'
import { Help, helping } from './screens/help'
import { Removal } from './screens/removal'
import { Shell } from './screens/shell'
import { SignIn } from './screens/signin'
import { Transfers } from './screens/transfers'
import { Unseal, unsealing } from './screens/unseal'
import { removing } from './state/actions'
import { handed } from './state/install'
import { toast } from './state/toasts'
import { chosen } from './state/uploads'
import { Button, Empty, Toasts } from './ui/basics'
import { later } from './ui/later'
import { say } from './words'

// What is loaded first shows the transfers.
const Find = later(() => import('./screens/find').then((m) => m.Find))
const ChannelScreen = later(() => import('./screens/channels').then((m) => m.ChannelScreen))
const Network = later(() => import('./screens/network').then((m) => m.Network))
const Settings = later(() => import('./settings/screen').then((m) => m.Screen))
const Share = later(() => import('./screens/share').then((m) => m.Share))

function Screen(): JSX.Element {
  const [first, id, tab] = parts.value
  switch (first) {
    case undefined:
      return <Transfers />
    case 't':
      if (id) return <Transfers id={id} {...(tab ? { tab } : {})} />
      break
    case 'share':
      return <Share key={id ?? ''} id={id} />
    case 'find':
      return id ? <ChannelScreen key={id} id={id} /> : <Find />
    case 'network':
      return <Network />
    case 'settings':
      return <Settings />
  }
  return (
    <Empty icon="find" title={say('app.lost.title')} screen>
      <p>{say('app.lost')}</p>
      <Button variant="primary" onClick={() => go('/')}>{say('app.lost.show')}</Button>
    </Empty>
  )
}

const typing = (e: Event): boolean =>
  e.target instanceof HTMLElement && (e.target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) &&
  !(e.target instanceof HTMLInputElement && e.target.type === 'checkbox')

function keys(e: KeyboardEvent): void {
  switch (pressed(e)) {
    case 'add':
      adding.value = {}
      break
    case 'share':
      go('/share')
      break
    case 'help':
      helping.value = true
      break
    case 'search': {
      const search = document.querySelector<HTMLInputElement>('input[type=search]')
      if (search) search.focus()
      else go('/?focus=search')
      break
    }
    default:
      return
  }
  e.preventDefault()
}

function pasted(e: ClipboardEvent): void {
  if (document.querySelector('dialog[open]')) return
  const files = [...(e.clipboardData?.files ?? [])]
  const text = e.clipboardData?.getData('text') ?? ''
  // A text field keeps pasted text; a pasted picture can only be a QR code.
  if (typing(e) && (text || !files.some(isPicture))) return
  if (files.length || links(text).length) {
    e.preventDefault()
    offer(files, text)
  }
}

function dropped(e: DragEvent): void {
  document.documentElement.classList.remove('dropping')
  if (!e.dataTransfer || e.defaultPrevented || typing(e)) return
  e.preventDefault()
  const files = [...e.dataTransfer.files]
  const text = e.dataTransfer.getData('text/uri-list') || e.dataTransfer.getData('text')
  if (files.length && !files.every((f) => isTorrent(f.name))) {
    // Other files are shared. Only the entries include folders, and they end with the event.
    const entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter((i) => !!i)
    const all = entries.length === files.length ? walk(entries) : Promise.resolve(given(files))
    all.then((g) => {
      adding.value = unsealing.value = undefined
      chosen.value = g
      go('/share')
    }, (err) => toast(message(err), { bad: true }))
  } else if (files.length || links(text).length) offer(files, text)
  else toast(say('app.drop.bad'), { bad: true })
}

/** magnet previews a magnet link that the browser opened with this page. */
function magnet(): void {
  const text = handed()
  if (text) adding.value = { text }
}

export function App(): JSX.Element {
  const inside = signedIn.value !== false
  // Before the next event: what is pressed or dropped as soon as the page is seen counts.
  useLayoutEffect(() => {
    if (!inside) return
    let depth = 0
    const dragging = (by: number) => (e: DragEvent): void => {
      depth = Math.max(0, depth + by)
      if ([...(e.dataTransfer?.types ?? [])].some((t) => t === 'Files' || t === 'text/uri-list' || t === 'text/plain')) {
        document.documentElement.classList.toggle('dropping', depth > 0)
      }
    }
    const handlers: [string, (e: never) => void][] = [
      ['click', follow], ['keydown', keys], ['paste', pasted], ['hashchange', magnet],
      ['dragover', (e: DragEvent) => { if (!typing(e)) e.preventDefault() }], ['dragenter', dragging(1)], ['dragleave', dragging(-1)],
      ['drop', (e: DragEvent) => { depth = 0; dropped(e) }],
    ]
    for (const [type, f] of handlers) addEventListener(type, f as EventListener)
    magnet()
    return () => {
      for (const [type, f] of handlers) removeEventListener(type, f as EventListener)
    }
  }, [inside])
  if (!inside) return <><SignIn /><Toasts /></>
  return (
    <>
      <Shell><Screen /></Shell>
      {adding.value && <Add />}
      {unsealing.value && <Unseal />}
      {removing.value.length > 0 && <Removal />}
      {helping.value && <Help />}
      <Toasts />
      <div class="drop-hint" aria-hidden="true"><p>{say('app.drop')}</p></div>
    </>
  )
}
