// Links with which people send files to the node: making one, handing it over, and what arrives.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message, send } from '../api/client'
import type { Coming, ReceiveLink } from '../api/types'
import { bytes, parseSize } from '../lib/format'
import { shown } from '../lib/text'
import { copy } from '../state/actions'
import { incoming } from '../state/store'
import { Button, Pair, Problem } from '../ui/basics'
import { ends, expires, Expiry } from '../ui/expiry'
import { QR } from '../ui/qr'
import { number, say } from '../words'

/** Receive is all links for receiving files. */
export function Receive(): JSX.Element | null {
  const [links, setLinks] = useState<ReceiveLink[]>([])
  const here = Object.values(incoming.value ?? {}).filter((c) => c.kind === 'receive')
  const look = (): void => { if (can('GET /receive-links')) void get<ReceiveLink[]>('/receive-links').then(setLinks, () => undefined) }
  useEffect(look, [here.length, can('GET /receive-links')])
  if (!can('POST /receive-links')) return null
  return (
    <section class="card weblinks">
      <h2>{say('uploads.receive')}</h2>
      <p class="muted">{say('uploads.receive.about')}</p>
      {links.map((l) => <Link key={l.id} l={l} c={incoming.value?.[l.id]} ended={look} />)}
      <details>
        <summary>{say('uploads.receive.new')}</summary>
        <Make made={look} />
      </details>
    </section>
  )
}

// The most files that a link takes.
const most = 10_000

/** Make asks what a new link is to be, and makes it. */
function Make({ made }: { made: () => void }): JSX.Element {
  const none = { name: '', folder: '', size: '', files: '', password: '' }
  const [form, setForm] = useState(none)
  const [life, setLife] = useState(0)
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const make = async (e: Event): Promise<void> => {
    e.preventDefault()
    const size = form.size.trim() ? parseSize(form.size) : 0
    const files = form.files.trim() ? Number(form.files) : 0
    if (size === undefined || (form.size.trim() && size === 0)) return setProblem(say('uploads.receive.size.bad'))
    if (form.files.trim() && !(Number.isInteger(files) && files > 0 && files <= most)) return setProblem(say('uploads.receive.files.bad', { most }))
    setBusy(true)
    setProblem('')
    try {
      const [name, folder] = [form.name.trim(), form.folder.trim()]
      await send('POST', '/receive-links', {
        ...(name ? { name } : {}), ...(folder ? { folder } : {}), ...(size ? { max_size: size } : {}), ...(files ? { max_files: files } : {}),
        ...(form.password ? { password: form.password } : {}), ...expires(life),
      })
      setForm(none)
      setLife(0)
      made()
    } catch (err) {
      setProblem(message(err))
    }
    setBusy(false)
  }
  const set = (key: keyof typeof none) => (e: { currentTarget: HTMLInputElement }): void => setForm({ ...form, [key]: e.currentTarget.value })
  return (
    <form class="stack" onSubmit={(e) => void make(e)}>
      <label class="field">{say('uploads.receive.name')}
        <input value={form.name} maxLength={150} autocomplete="off" onInput={(e) => setForm({ ...form, name: e.currentTarget.value.replaceAll(/[/\\]/g, '') })} />
      </label>
      <label class="field">{say('uploads.receive.folder')}
        <input value={form.folder} maxLength={4096} spellcheck={false} autocomplete="off" placeholder={say('uploads.receive.folder.new')} onInput={set('folder')} />
      </label>
      <Expiry life={life} set={setLife} never={say('uploads.receive.never')} />
      <label class="field">{say('uploads.receive.size')}
        <input value={form.size} placeholder={say('weblinks.max.none')} autocomplete="off" aria-describedby="receive-size" onInput={set('size')} />
        <small class="muted" id="receive-size">{say('uploads.receive.size.what')}</small>
      </label>
      <label class="field">{say('uploads.receive.files')}
        <input inputMode="numeric" value={form.files} placeholder={number(most)} autocomplete="off" onInput={set('files')} />
      </label>
      <label class="field">{say('weblinks.password')}
        <input type="password" value={form.password} maxLength={1000} autocomplete="new-password" aria-describedby="receive-password" onInput={set('password')} />
        <small class="muted" id="receive-password">{say('weblinks.password.what')}</small>
      </label>
      {problem && <Problem>{problem}</Problem>}
      <div class="row"><Button type="submit" variant="primary" disabled={busy}>{say('uploads.receive.make')}</Button></div>
    </form>
  )
}

/** Link is one link and what has arrived with it. */
function Link({ l, c, ended }: { l: ReceiveLink; c: Coming | undefined; ended: () => void }): JSX.Element {
  const [problem, setProblem] = useState('')
  const taken = bytes(c?.taken ?? l.bytes)
  const arrived = c?.arrived ?? l.files
  const works = !l.ended && !!l.url
  const label = say('uploads.receive.link.of', { name: shown(l.name) })
  return (
    <article class={`weblink${l.ended ? ' over' : ''}`} aria-label={label}>
      <h3><bdi>{shown(l.name)}</bdi></h3>
      {works && <code class="break" tabIndex={0} role="group" aria-label={label}>{l.url}</code>}
      <div class="row wrap">
        {works && <Button icon="copy" variant="primary" onClick={() => void copy(l.url, say('uploads.receive.copied'))}>{say('uploads.receive.copy')}</Button>}
        <Button icon="close" onClick={() => void send('DELETE', `/receive-links/${l.id}`).then(ended, (e) => setProblem(message(e)))} label={say('uploads.receive.end.of', { name: shown(l.name) })}>{say('uploads.receive.end')}</Button>
      </div>
      {!l.ended && !l.url && <Problem>{say('uploads.receive.unserved')}</Problem>}
      {problem && <Problem>{problem}</Problem>}
      {c?.trouble && <Problem>{shown(c.trouble)}</Problem>}
      {works && <QR text={l.url} label={say('uploads.receive.qr')} />}
      <dl class="pairs">
        <Pair name={say('uploads.receive.sent')}>{say('uploads.receive.arrived', { n: arrived })}, {l.max_size ? say('uploads.receive.of', { done: taken, most: bytes(l.max_size) }) : taken}{c?.active && `, ${say('uploads.receive.active')}`}</Pair>
        <Pair name={say('uploads.receive.files')}>{number(l.max_files)}</Pair>
        <Pair name={say('uploads.receive.where')}><bdi class="break">{shown(l.folder)}</bdi></Pair>
        <Pair name={say('uploads.receive.who')}>{say(l.password ? 'weblinks.who.password' : 'weblinks.who.all')}</Pair>
        <Pair name={say('weblinks.expires')}>{l.ended ? say('uploads.receive.over') : l.expires ? ends(l.expires) : say('uploads.receive.never')}</Pair>
        {works && <Pair name={say('weblinks.wire')}>{say(l.encrypted ? 'weblinks.wire.tls' : 'weblinks.wire.plain')}</Pair>}
      </dl>
    </article>
  )
}
