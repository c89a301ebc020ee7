import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, message, send, sentence } from '../api/client'
import type { Channel, Entry } from '../api/types'
import { held, unfit } from '../lib/code'
import { ago, plural } from '../lib/format'
import { shown } from '../lib/text'
import { go } from '../router'
import { channels, load, named } from '../state/channels'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Empty, Problem, Working } from '../ui/basics'
import { QR } from '../ui/qr'
import { codeIn, Scan } from '../ui/scan'
import { adding } from './add'
import { Found } from './hit'

const path = (c: { key: string }, rest = ''): string => `/channels/${c.key}${rest}`

/** follow asks the node to follow what a link names, and shows it. */
export async function follow(link: string): Promise<void> {
  const c = await send<Channel>('POST', '/channels', { link: link.trim() })
  await load()
  go(`/find/${c.key}`)
}

/** scanned follows the channel whose code is in a picture; that of a share is looked at. */
async function scanned(picture: File): Promise<void> {
  const h = held(await codeIn(picture))
  if (h.kind === 'channel') return follow(h.text)
  if (h.kind !== 'content') throw new Error(unfit(h))
  adding.value = { text: h.text }
}

/** State is how a channel does, in one line. */
function State({ c }: { c: Channel }): JSX.Element {
  if (c.error) return <span class="bad-text">{shown(sentence(c.error))}</span>
  if (c.restoring) return <>Looking for what it had before</>
  if (c.own) return <>{plural(c.entries, 'entry', 'entries')}{c.pending ? ' · changes are not published yet' : c.updated ? ` · published ${ago(c.updated)}` : ''}</>
  if (c.seq < 0) return <>Looking for it in the DHT …</>
  return <>{plural(c.entries, 'entry', 'entries')}{c.updated && ` · updated ${ago(c.updated)}`}{c.pending && ' · a newer version is on its way'}</>
}

export function Channels(): JSX.Element {
  const all = channels.value
  return (
    <section class="card">
      <h2>Channels</h2>
      {!all && <Working>Asking the node …</Working>}
      {all?.length === 0 && <p class="muted">None yet. A channel is a signed list of shares that somebody keeps: follow one, and what is in it is found here. Make one, and others can follow what you share.</p>}
      <ul class="hits">
        {all?.map((c) => (
          <li key={c.key}>
            <div>
              <a class="strong" href={`/find/${c.key}`}><bdi>{shown(c.name) || c.key.slice(0, 16)}</bdi></a>{' '}
              <span class={`tag ${c.own ? 'good' : ''}`}>{c.own ? 'yours' : 'followed'}</span>
              <p class="muted"><State c={c} /></p>
            </div>
            <Give c={c} />
          </li>
        ))}
      </ul>
      <div class="columns even forms">
        <Ask label="Follow a channel" placeholder="magnet:?xs=urn:btpk:…" button="Follow" run={follow} scan={scanned} />
        <Ask
          label="Make a channel" placeholder="Its name" button="Make it"
          run={async (name) => {
            const c = await send<Channel>('POST', '/channels', { name: name.trim() })
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
  run: (text: string) => Promise<void>
  scan?: (picture: File) => Promise<void>
}

function Ask({ label, placeholder, button, run, scan }: AskProps): JSX.Element {
  const [text, setText] = useState('')
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
    <form class="stack" onSubmit={(e) => { e.preventDefault(); void attempt(run(text)) }}>
      <label class="field">{label}<input value={text} spellcheck={false} placeholder={placeholder} onInput={(e) => setText(e.currentTarget.value)} /></label>
      <div class="row"><Button type="submit" disabled={!text.trim()}>{button}</Button>{scan && <Scan onPicture={(f) => void attempt(scan(f))} />}</div>
      {problem && <Problem>{problem}</Problem>}
    </form>
  )
}

/** Give shows a channel's link, for somebody who is to follow it. */
function Give({ c }: { c: Channel }): JSX.Element {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon="copy" onClick={() => setOpen(true)}>Link</Button>
      {open && (
        <Dialog title={shown(c.name) || 'Channel'} onClose={() => setOpen(false)}>
          <div class="stack">
            <QR text={c.link} label="Code of the channel’s link" />
            <Copyable text={c.link} label="Channel link" />
            <p class="muted">Whoever has it can follow the channel: here, or with <code>shoal channel follow</code>.</p>
          </div>
        </Dialog>
      )}
    </>
  )
}

const page = 100
const most = 1000 // at once

/** inside is the search in one channel. */
const inside = (c: { key: string }): string => `/find?q=${encodeURIComponent(`channel:${c.key.slice(0, 16)} `)}`

/** ChannelScreen is one channel with what is in it. */
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
  useEffect(reload, [id, limit, c?.entries, c?.content])
  if (!c) {
    return (
      <div class="screen page">
        {!channels.value ? <><h1 class="offscreen">Channel</h1><Working>Asking the node …</Working></> : (
          <Empty icon="find" title="This channel is not here" screen>
            <p>It is neither followed nor yours.</p>
            <Button variant="primary" onClick={() => go('/find')}>Show the channels</Button>
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
      toast(c.own ? `Gave up “${shown(c.name)}”` : `No longer following “${shown(c.name)}”`)
      await load()
      go('/find')
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  return (
    <div class="screen page">
      <div class="crumb"><a href="/find">Find</a><span aria-hidden="true">/</span></div>
      <div class="head">
        <h1 class="break"><bdi>{shown(c.name) || c.key.slice(0, 16)}</bdi></h1>
        <div class="actions">
          {c.own && <Button icon="up" variant="primary" disabled={busy || c.restoring} onClick={() => void act(() => send('POST', path(c, '/publish')), 'Published')}>{busy ? 'Publishing …' : 'Publish'}</Button>}
          {c.entries > 0 && <Button icon="find" label="Search in this channel" onClick={() => go(inside(c))} />}
          <Give c={c} />
          <Button icon="remove" label={c.own ? 'Give it up' : 'Unfollow'} onClick={() => setLeaving(true)} />
        </div>
      </div>
      <p class="muted"><span class={`tag ${c.own ? 'good' : ''}`}>{c.own ? 'yours' : 'followed'}</span> <State c={c} /></p>
      {c.about && <p class="break">{shown(c.about)}</p>}
      {failed && <Problem>{failed}</Problem>}
      {!entries ? !failed && <Working>Reading what is in it …</Working>
        : entries.total === 0 ? (
          <Empty icon="share" title="There is nothing in it yet">
            <p>{c.own ? 'Share something, and put it into this channel from there.' : 'What is put into it comes here by itself.'}</p>
            {c.own && <Button variant="primary" onClick={() => go('/share')}>Share something</Button>}
          </Empty>
        ) : (
          <section class="card">
            <ul class="hits">
              {entries.entries.map((e) => (
                <Found
                  key={e.id} h={e} inside
                  extra={c.own ? <Button icon="close" label={`Take ${shown(e.name)} out of the channel`} onClick={() => void act(() => send('DELETE', path(c, `/entries/${e.id}`)), 'Taken out')} /> : undefined}
                />
              ))}
            </ul>
            {entries.entries.length < entries.total && (limit < most ? <Button onClick={() => setLimit(limit + page)}>Show more</Button>
              : <p class="muted">And {plural(entries.total - most, 'more entry', 'more entries')}, which are <a href={inside(c)}>found by searching</a>.</p>)}
          </section>
        )}
      {leaving && (
        <Dialog title={c.own ? 'Give up this channel?' : 'Unfollow this channel?'} onClose={() => setLeaving(false)}>
          <p>{c.own ? 'Its key is deleted from this node. Nobody can publish it any more, unless the key was exported: shoal channel export.' : 'What is in it is no longer found here. What was fetched stays.'}</p>
          <footer><Button onClick={() => setLeaving(false)}>Keep it</Button><Button variant={c.own ? 'danger' : 'primary'} onClick={() => void leave()}>{c.own ? 'Give it up' : 'Unfollow'}</Button></footer>
        </Dialog>
      )}
    </div>
  )
}

/** Into puts a share into one of the own channels. */
export function Into({ id }: { id: string }): JSX.Element | null {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const own = channels.value?.filter((c) => c.own) ?? []
  if (!channels.value) return null
  if (own.length === 0) return <p class="muted">To have others find it without a link each time, <a href="/find">make a channel</a> and put it in.</p>
  const chosen = own.find((c) => c.key === key) ?? own[0]!
  const put = async (e: Event): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    try {
      await send('POST', path(chosen, '/entries'), { ids: [id] })
      toast(`Put into “${shown(chosen.name)}”`, { action: { label: 'Show', run: () => go(`/find/${chosen.key}`) } })
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="row" onSubmit={(e) => void put(e)}>
      <select aria-label="Channel" value={chosen.key} onChange={(e) => setKey(e.currentTarget.value)}>
        {own.map((c) => <option key={c.key} value={c.key}>{shown(c.name) || c.key.slice(0, 16)}</option>)}
      </select>
      <Button type="submit" disabled={busy}>Put into the channel</Button>
    </form>
  )
}
