// The player: films with subtitles, audio as a list, pictures as a gallery. It is loaded when something is played.
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { base, contentURL, transferPath } from '../api/client'
import type { File, Streams, Transfer } from '../api/types'
import { bytes, duration, lasts, rate } from '../lib/format'
import { beside, fileName, kindOf, poster, subtitles } from '../lib/media'
import { shown } from '../lib/text'
import { copy } from '../state/actions'
import { leave, leftAt } from '../state/positions'
import { watch } from '../state/stream'
import { topic } from '../state/topic'
import { Bar, Button, Dialog } from '../ui/basics'
import { Icon } from '../ui/icons'
import { locale, number, say } from '../words'

/** playURL is the address of a file for a player: other downloads yield to it. */
const playURL = (t: Transfer, f: File): string => `${contentURL(t.id, f.index)}?play=true`

export function Player({ t, file, files, close }: { t: Transfer; file: File; files: readonly File[]; close: () => void }): JSX.Element {
  const [index, setIndex] = useState(file.index)
  const now = files.find((f) => f.index === index) ?? file
  const list = useMemo(() => beside(now, files), [now.path, files])
  const kind = kindOf(now.path)
  const at = list.findIndex((f) => f.index === index)
  const step = (by: number): void => {
    const next = list[at + by]
    if (next) setIndex(next.index)
  }
  useEffect(() => {
    watch([`files:${t.id}`, `streams:${t.id}`])
    return () => watch([`files:${t.id}`])
  }, [t.id])
  return (
    <Dialog title={shown(fileName(now.path))} onClose={close} wide>
      {kind === 'image' ? <Picture key={index} t={t} file={now} list={list} at={at} show={setIndex} step={step} />
        : <Media key={index} t={t} file={now} files={files} kind={kind === 'audio' ? 'audio' : 'video'} next={list[at + 1] && (() => step(1))} previous={list[at - 1] && (() => step(-1))} />}
      {kind !== 'image' && list.length > 1 && <Tracks list={list} index={index} play={setIndex} audio={kind === 'audio'} />}
    </Dialog>
  )
}

/** Media plays one film or track. */
function Media({ t, file, files, kind, next, previous }: {
  t: Transfer; file: File; files: readonly File[]; kind: 'video' | 'audio'; next: (() => void) | undefined; previous: (() => void) | undefined
}): JSX.Element {
  const ref = useRef<HTMLMediaElement>(null)
  const [failed, setFailed] = useState<MediaError['code']>()
  const [from, setFrom] = useState(0)
  const [text, setText] = useState(-1)
  const [tries, setTries] = useState(0)
  // Nothing that is chosen once changes while it plays: it would begin anew.
  const [tracks] = useState(() => (kind === 'video' ? subtitles(file, files) : []))
  const [picture] = useState(() => (kind === 'video' ? poster(file, files) : undefined))
  const src = playURL(t, file)

  // Before the next event: what is in the cache is loaded at once.
  useLayoutEffect(() => {
    const m = ref.current!
    let noted = 0
    const note = (): void => leave(t.id, file.index, m.currentTime, m.duration)
    const begun = (): void => {
      const left = leftAt(t.id, file.index)
      if (left > 0 && left < m.duration) {
        m.currentTime = left
        setFrom(left)
      }
    }
    const moved = (): void => {
      if (Math.abs(m.currentTime - noted) < 5) return
      noted = m.currentTime
      note()
    }
    m.addEventListener('loadedmetadata', begun)
    m.addEventListener('timeupdate', moved)
    m.addEventListener('pause', note)
    addEventListener('pagehide', note)
    return () => {
      removeEventListener('pagehide', note)
      if (m.currentTime > 0) note()
      for (const [type, f] of [['loadedmetadata', begun], ['timeupdate', moved], ['pause', note]] as const) m.removeEventListener(type, f)
      // A player that is only taken off the page goes on loading.
      m.removeAttribute('src')
      m.load()
    }
  }, [tries])
  useEffect(() => {
    // Language of the reader first; else none is shown.
    setText(tracks.findIndex((s) => s.language && s.language === locale.value.split('-')[0]))
  }, [])
  useEffect(() => {
    const all = ref.current!.textTracks
    for (let i = 0; i < all.length; i++) all[i]!.mode = i === text ? 'showing' : 'disabled'
  }, [text, tries])
  useEffect(() => {
    const session = navigator.mediaSession
    if (!session) return
    session.metadata = new MediaMetadata({ title: shown(fileName(file.path)), album: shown(t.name) })
    session.setActionHandler('nexttrack', next ?? null)
    session.setActionHandler('previoustrack', previous ?? null)
    return () => {
      session.metadata = null
      session.setActionHandler('nexttrack', null)
      session.setActionHandler('previoustrack', null)
    }
  }, [file.index, !next, !previous])

  const common = {
    ref: ref as never, src, controls: true, autoplay: true,
    onError: () => setFailed(ref.current?.error?.code), onPlaying: () => setFailed(undefined),
  }
  return (
    <div class="stack">
      <div class="player">
        {kind === 'audio' ? <audio key={tries} {...common} aria-label={shown(fileName(file.path))} onEnded={next} /> : (
          <video key={tries} {...common} aria-label={shown(fileName(file.path))} poster={picture && contentURL(t.id, picture.index)} playsInline>
            {tracks.map((s) => <track key={s.file.index} kind="subtitles" src={`${base}${transferPath(t.id, `/files/${s.file.index}/subtitles`)}`} srclang={s.language || 'und'} label={shown(s.label)} />)}
          </video>
        )}
      </div>
      {(tracks.length > 0 || from > 0) && (
        <div class="row wrap player-tools">
          {tracks.length > 0 && (
            <label class="row">{say('player.subtitles')}
              <select value={`${text}`} onChange={(e) => setText(Number(e.currentTarget.value))}>
                <option value="-1">{say('player.subtitles.off')}</option>
                {tracks.map((s, i) => <option key={s.file.index} value={`${i}`}>{shown(s.label)}</option>)}
              </select>
            </label>
          )}
          {from > 0 && (
            <span class="row"><span class="muted" role="status">{say('player.resumed', { time: clock(from) })}</span>
              <button type="button" class="link" onClick={() => { ref.current!.currentTime = 0; setFrom(0) }}>{say('player.restart')}</button>
            </span>
          )}
        </div>
      )}
      {failed !== undefined && <Failed code={failed} url={location.origin + src} again={() => { setFailed(undefined); setTries(tries + 1) }} />}
      {failed === undefined && file.bytes < file.total && <Waits t={t} file={file} media={ref} />}
      {file.bytes < file.total && <p class="muted">{say('player.plays')}</p>}
    </div>
  )
}

/** clock writes seconds as players do: 1:02:03. */
function clock(s: number): string {
  const two = (n: number): string => `${Math.floor(n)}`.padStart(2, '0')
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two((s % 3600) / 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`
}

function Failed({ code, url, again }: { code: number; url: string; again: () => void }): JSX.Element {
  return (
    <div class="note stack" role="alert">
      {code === 2 ? <p>{say('player.broken')}</p> : <p>{say('player.cannot')}</p>}
      {code !== 2 && <code class="break">{url}</code>}
      <div class="row wrap">
        <Button onClick={again}>{say('player.again')}</Button>
        {code !== 2 && <Button icon="copy" onClick={() => void copy(url)}>{say('player.copy')}</Button>}
      </div>
    </div>
  )
}

/** Waits shows what the player has, and what it waits for. */
function Waits({ t, file, media }: { t: Transfer; file: File; media: { current: HTMLMediaElement | null } }): JSX.Element {
  const data = topic<{ id: string } & Streams>('streams', t)
  const [, look] = useState(0)
  const [stands, setStands] = useState(true)
  useLayoutEffect(() => {
    const m = media.current!
    const each = setInterval(() => look((n) => n + 1), 1000)
    const stop = (): void => setStands(true)
    const go = (): void => setStands(false)
    for (const type of ['waiting', 'stalled', 'seeking']) m.addEventListener(type, stop)
    for (const type of ['playing', 'canplay']) m.addEventListener(type, go)
    return () => {
      clearInterval(each)
      for (const type of ['waiting', 'stalled', 'seeking']) m.removeEventListener(type, stop)
      for (const type of ['playing', 'canplay']) m.removeEventListener(type, go)
    }
  }, [])
  const m = media.current
  const all = data?.streams.filter((s) => s.file === file.index) ?? []
  // A browser reads at several places. The one that stands still is what is waited for.
  const s = all.find((o) => o.waits) ?? all.sort((a, b) => b.at - a.at)[0]
  const perSecond = m && m.duration > 0 && Number.isFinite(m.duration) ? file.total / m.duration : 0
  const buffer = m ? buffered(m) : 0
  const waiting = stands && (m?.readyState ?? 0) < 3
  return (
    <div class="player-waits">
      <p role="status" class="strong">
        {!waiting ? '' : !s || s.missing === 0 ? say('player.loads')
            : t.peers === 0 ? say('player.nobody') : say('player.waits', { piece: s.piece + 1, missing: s.missing, pieces: s.pieces })}
      </p>
      {s && s.ahead > 0 && <Bar value={s.ready / s.ahead} state="fetching" label={say('player.ahead')} />}
      <dl class="player-figures">
        <div><dt>{say('player.rate')}</dt><dd>{rate(t.down) || `${number(0)} B/s`}</dd></div>
        <div><dt>{say('player.peers')}</dt><dd>{number(t.peers)}</dd></div>
        <div><dt>{say('player.needs')}</dt><dd>{perSecond > 0 ? rate(perSecond) : '–'}</dd></div>
        <div><dt>{say('player.buffer')}</dt><dd>{duration(buffer || NaN)}</dd></div>
        <div><dt>{say('player.ready')}</dt><dd>{s ? lasts(s.ready, perSecond) : '–'}</dd></div>
      </dl>
      {!!data?.held && <p class="muted">{say('player.yield', { rate: rate(data.held) })}</p>}
    </div>
  )
}

/** buffered is how many seconds the browser has ahead. */
function buffered(m: HTMLMediaElement): number {
  for (let i = 0; i < m.buffered.length; i++) {
    if (m.buffered.start(i) <= m.currentTime + 0.1 && m.buffered.end(i) > m.currentTime) return m.buffered.end(i) - m.currentTime
  }
  return 0
}

/** Tracks is the list of what is beside, to be played one after the other. */
function Tracks({ list, index, play, audio }: { list: readonly File[]; index: number; play: (index: number) => void; audio: boolean }): JSX.Element {
  const at = list.findIndex((f) => f.index === index)
  return (
    <section class="tracks">
      <div class="row spread">
        <h3>{say(audio ? 'player.tracks' : 'player.films', { n: list.length })}</h3>
        <span class="row">
          <Button icon="back" label={say('player.previous')} disabled={at <= 0} onClick={() => play(list[at - 1]!.index)} />
          <Button icon="next" label={say('player.next')} disabled={at >= list.length - 1} onClick={() => play(list[at + 1]!.index)} />
        </span>
      </div>
      <ol tabIndex={0} aria-label={say(audio ? 'player.tracks' : 'player.films', { n: list.length })}>
        {list.map((f) => (
          <li key={f.index}>
            <button type="button" aria-current={f.index === index ? 'true' : undefined} onClick={() => play(f.index)}>
              <Icon name={f.index === index ? 'play' : 'file'} size={16} /><bdi>{shown(fileName(f.path))}</bdi><span class="muted figures">{bytes(f.total)}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  )
}

// Small pictures of its neighbours are the pictures themselves: larger ones are only named.
const around = 6
const small = 3_000_000

/** Picture shows one picture of a gallery. */
function Picture({ t, file, list, at, show, step }: {
  t: Transfer; file: File; list: readonly File[]; at: number; show: (index: number) => void; step: (by: number) => void
}): JSX.Element {
  const [failed, setFailed] = useState(false)
  const name = shown(fileName(file.path))
  // Ends with the screen: other effects end only after the next frame, when elements are gone.
  useLayoutEffect(() => {
    const key = (e: KeyboardEvent): void => {
      const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
      if (!by || e.altKey || e.ctrlKey || e.metaKey) return
      e.preventDefault()
      step(by)
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [at, list.length])
  const from = Math.max(0, at - around)
  return (
    <div class="stack">
      <div class="player picture"><img src={contentURL(t.id, file.index)} alt={name} onError={() => setFailed(true)} /></div>
      {failed && <p class="note" role="alert">{say('player.cannot.picture')}</p>}
      {list.length > 1 && (
        <>
          <div class="row spread">
            <Button icon="back" disabled={at <= 0} onClick={() => step(-1)}>{say('player.previous')}</Button>
            <span class="muted figures" role="status">{say('player.of', { at: at + 1, n: list.length })}</span>
            <Button icon="next" disabled={at >= list.length - 1} onClick={() => step(1)}>{say('player.next')}</Button>
          </div>
          <ul class="strip" aria-label={say('player.pictures')} tabIndex={0}>
            {list.slice(from, at + around + 1).map((f) => (
              <li key={f.index}>
                <button type="button" aria-label={shown(fileName(f.path))} aria-current={f.index === file.index ? 'true' : undefined} onClick={() => show(f.index)}>
                  {f.total <= small ? <img src={contentURL(t.id, f.index)} alt="" loading="lazy" decoding="async" /> : <Icon name="file" size={22} />}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
