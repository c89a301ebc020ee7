// The list of channels, the screen of one, and adding a share to one.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, message, send, sentence } from '../api/client'
import type { Channel, Entry } from '../api/types'
import { held, unfit } from '../lib/code'
import { ago } from '../lib/format'
import { shown } from '../lib/text'
import { go } from '../router'
import { called, channels, load, named } from '../state/channels'
import { link } from '../state/stream'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Empty, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { QR } from '../ui/qr'
import { codeIn, Scan } from '../ui/scan'
import { adding } from './add'
import { Found } from './hit'
import { say, sayParts, told } from '../words'

const path = (c: { key: string }, rest = ''): string => `/channels/${c.key}${rest}`

/** follow has the node follow the channel that a link names, and shows it. */
export async function follow(link: string): Promise<void> {
  const c = await send<Channel>('POST', '/channels', { link: link.trim() })
  await load()
  go(`/find/${c.key}`)
}

/** scanned follows the channel whose code is in a picture; the code of a share opens the preview. */
async function scanned(picture: File): Promise<void> {
  const h = held(await codeIn(picture))
  if (h.kind === 'channel') return follow(h.text)
  if (h.kind !== 'content') throw new Error(unfit(h))
  adding.value = { text: h.text }
}

/** State is the state of a channel in one line. */
function State({ c }: { c: Channel }): JSX.Element {
  if (c.error) return <span class="bad-text">{shown(sentence(told(c.error, c.error_text)))}</span>
  if (c.restoring) return <>{say('channels.restoring')}</>
  const count = say('count.entries', { n: c.entries })
  if (c.own) return <>{c.pending ? say('channels.unpublished', { count }) : c.updated ? say('channels.published', { count, ago: ago(c.updated) }) : count}</>
  if (c.seq < 0) return <>{say('channels.looking')}</>
  const state = c.updated ? say('channels.updated', { count, ago: ago(c.updated) }) : count
  return <>{c.pending ? say('channels.newer', { state }) : state}</>
}

/** Tags say whose a channel is, and who can read it. */
function Tags({ c }: { c: Channel }): JSX.Element {
  return (
    <>
      <span class={`tag ${c.own ? 'good' : ''}`}>{c.own ? say('channels.yours') : say('channels.followed')}</span>
      {c.sealed && <span class="tag"><Icon name="lock" size={12} /> {c.blind ? say('channels.blind') : say('channels.sealed')}</span>}
    </>
  )
}

export function Channels(): JSX.Element {
  const all = channels.value
  return (
    <section class="card">
      <h2>{say('channels.title')}</h2>
      {link.value.state === 'lost' && <Problem>{say('node.silent')}</Problem>}
      {!all && link.value.state !== 'lost' && <Working>{say('asking')}</Working>}
      {all?.length === 0 && <p class="muted">{say('channels.none')}</p>}
      <ul class="hits">
        {all?.map((c) => (
          <li key={c.key}>
            <div>
              <a class="strong" href={`/find/${c.key}`}><bdi>{called(c)}</bdi></a>{' '}
              <Tags c={c} />
              <p class="muted"><State c={c} /></p>
            </div>
            <Give c={c} />
          </li>
        ))}
      </ul>
      <div class="columns even forms">
        <Ask label={say('channels.follow.label')} placeholder="magnet:?xs=urn:btpk:…" button={say('channels.follow')} run={follow} scan={scanned} />
        <Ask
          label={say('channels.create.label')} placeholder={say('channels.name')} button={say('channels.create')} option={say('channels.seal')} explains={say('channels.seal.explains')}
          run={async (name, sealed) => {
            const c = await send<Channel>('POST', '/channels', { name: name.trim(), ...(sealed && { sealed }) })
            await load()
            go(`/find/${c.key}`)
          }}
        />
      </div>
    </section>
  )
}

interface AskProps {
  label: string
  placeholder: string
  button: string
  /** option is the label of a checkbox. */
  option?: string
  explains?: string
  run: (text: string, option: boolean) => Promise<void>
  scan?: (picture: File) => Promise<void>
}

function Ask({ label, placeholder, button, option, explains, run, scan }: AskProps): JSX.Element {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(false)
  const [problem, setProblem] = useState('')
  const attempt = async (what: Promise<void>): Promise<void> => {
    setProblem('')
    try {
      await what
    } catch (err) {
      setProblem(message(err))
    }
  }
  return (
    <form class="stack" onSubmit={(e) => { e.preventDefault(); void attempt(run(text, chosen)) }}>
      <label class="field">{label}<input value={text} spellcheck={false} placeholder={placeholder} onInput={(e) => setText(e.currentTarget.value)} /></label>
      {option && <label class="check"><input type="checkbox" checked={chosen} onChange={(e) => setChosen(e.currentTarget.checked)} /><span>{option}<small>{explains}</small></span></label>}
      <div class="row wrap ways"><Button type="submit" disabled={!text.trim()}>{button}</Button>{scan && <Scan onPicture={(f) => void attempt(scan(f))} />}</div>
      {problem && <Problem>{problem}</Problem>}
    </form>
  )
}

/** Give shows the link of a channel, to pass on to followers. */
function Give({ c }: { c: Channel }): JSX.Element {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon="copy" onClick={() => setOpen(true)}>{say('link')}</Button>
      {open && (
        <Dialog title={called(c)} onClose={() => setOpen(false)}>
          <div class="stack">
            <QR text={c.link} label={say('channels.link.qr')} />
            <Copyable text={c.link} label={say('channels.link')} />
            <p class="muted">{c.blind ? say('channels.gives.blind') : c.sealed ? say('channels.gives.sealed') : sayParts('channels.gives', { command: <code>shoal channel follow</code> })}</p>
            {c.sealed && !c.blind && c.blind_link && (
              <>
                <Copyable text={c.blind_link} label={say('channels.link.blind')} />
                <p class="muted">{say('channels.mirrors')}</p>
              </>
            )}
          </div>
        </Dialog>
      )}
    </>
  )
}

const page = 100
const most = 1000 // at once

/** inside is the path of the search in one channel. */
const inside = (c: { key: string }): string => `/find?q=${encodeURIComponent(`channel:${c.key.slice(0, 16)} `)}`

/** ChannelScreen shows one channel with its entries. */
export function ChannelScreen({ id }: { id: string }): JSX.Element {
  const c = named(id)
  const [entries, setEntries] = useState<{ entries: Entry[]; total: number }>()
  const [limit, setLimit] = useState(page)
  const [failed, setFailed] = useState('')
  const [leaving, setLeaving] = useState(false)
  const [busy, setBusy] = useState(false)
  const reload = (): void => {
    get<{ entries: Entry[]; total: number }>(`/channels/${id}/entries?limit=${limit}`).then((p) => { setEntries(p); setFailed('') }, (e) => setFailed(message(e)))
  }
  useEffect(reload, [id, limit, c?.entries, c?.content, c?.blind])
  if (!c) {
    return (
      <div class="screen page">
        {!channels.value ? <><h1 class="offscreen">{say('channels.one')}</h1><Working>{say('asking')}</Working></> : (
          <Empty icon="find" title={say('channels.missing')} screen>
            <p>{say('channels.missing.why')}</p>
            <Button variant="primary" onClick={() => go('/find')}>{say('channels.show')}</Button>
          </Empty>
        )}
      </div>
    )
  }
  const act = async (run: () => Promise<unknown>, said: string): Promise<void> => {
    setBusy(true)
    try {
      await run()
      toast(said)
      await load()
      reload()
    } catch (e) {
      toast(message(e), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  const leave = async (): Promise<void> => {
    setLeaving(false)
    try {
      await send('DELETE', path(c, c.own ? '?own=true' : ''))
      toast(say(c.own ? 'channels.deleted' : 'channels.left', { name: called(c) }))
      await load()
      go('/find')
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  return (
    <div class="screen page">
      <div class="crumb"><a href="/find">{say('shell.find')}</a><span aria-hidden="true">/</span></div>
      <div class="head">
        <h1 class="break"><bdi>{called(c)}</bdi></h1>
        <div class="actions">
          {c.own && <Button icon="up" variant="primary" disabled={busy || c.restoring} onClick={() => void act(() => send('POST', path(c, '/publish')), say('channels.published.now'))}>{busy ? say('channels.publishing') : say('channels.publish')}</Button>}
          {c.entries > 0 && <Button icon="find" label={say('channels.search')} onClick={() => go(inside(c))} />}
          <Give c={c} />
          <Button icon="remove" label={c.own ? say('channels.delete') : say('channels.unfollow')} onClick={() => setLeaving(true)} />
        </div>
      </div>
      <p class="muted"><Tags c={c} /> <State c={c} /></p>
      {c.blind && <p class="muted">{say('channels.blind.what')}</p>}
      {c.about && <p class="break">{shown(c.about)}</p>}
      {failed && <Problem>{failed}</Problem>}
      {!entries ? !failed && <Working>{say('channels.loading')}</Working>
        : entries.total === 0 ? (
          <Empty icon="share" title={say('channels.empty')}>
            <p>{c.own ? say('channels.empty.own') : say('channels.empty.other')}</p>
            {c.own && <Button variant="primary" onClick={() => go('/share')}>{say('channels.share')}</Button>}
          </Empty>
        ) : (
          <section class="card">
            <ul class="hits">
              {entries.entries.map((e) => (
                <Found
                  key={e.id} h={e} inside
                  extra={c.own ? <Button icon="close" label={say('channels.remove', { name: shown(e.name) })} onClick={() => void act(() => send('DELETE', path(c, `/entries/${e.id}`)), say('channels.removed'))} /> : undefined}
                />
              ))}
            </ul>
            {entries.entries.length < entries.total && (limit < most ? <Button onClick={() => setLimit(limit + page)}>{say('button.more')}</Button>
              : <p class="muted">{sayParts('channels.more', { n: entries.total - most, search: <a href={inside(c)}>{say('channels.more.search')}</a> })}</p>)}
          </section>
        )}
      {leaving && (
        <Dialog title={c.own ? say('channels.delete.ask') : say('channels.unfollow.ask')} onClose={() => setLeaving(false)}>
          <p>{c.own ? say('channels.delete.means') : say('channels.unfollow.means')}</p>
          <footer><Button onClick={() => setLeaving(false)}>{say('button.cancel')}</Button><Button variant={c.own ? 'danger' : 'primary'} onClick={() => void leave()}>{c.own ? say('button.delete') : say('channels.unfollow')}</Button></footer>
        </Dialog>
      )}
    </div>
  )
}

/** Into adds a share to one of the node's own channels. */
export function Into({ id, sealed }: { id: string; sealed: boolean }): JSX.Element | null {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const own = channels.value?.filter((c) => c.own && (c.sealed || !sealed)) ?? []
  if (!channels.value) return null
  if (own.length === 0 && sealed) return <p class="muted">{sayParts('channels.into.sealed', { create: <a href="/find">{say('channels.into.sealed.create')}</a> })}</p>
  if (own.length === 0) return <p class="muted">{sayParts('channels.into.none', { create: <a href="/find">{say('channels.into.create')}</a> })}</p>
  const chosen = own.find((c) => c.key === key) ?? own[0]!
  const put = async (e: Event): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    try {
      await send('POST', path(chosen, '/entries'), { ids: [id] })
      toast(say('channels.added', { name: shown(chosen.name) }), { action: { label: say('button.show'), run: () => go(`/find/${chosen.key}`) } })
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="row into" onSubmit={(e) => void put(e)}>
      <select aria-label={say('channels.one')} value={chosen.key} onChange={(e) => setKey(e.currentTarget.value)}>
        {own.map((c) => <option key={c.key} value={c.key}>{c.sealed ? say('channels.named.sealed', { name: called(c) }) : called(c)}</option>)}
      </select>
      <Button type="submit" disabled={busy}>{say('channels.add')}</Button>
    </form>
  )
}
