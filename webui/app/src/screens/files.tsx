// The tab with the files of a transfer: priorities, playing, saving.
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { archiveURL, contentURL, message, send, transferPath } from '../api/client'
import type { File, Transfer } from '../api/types'
import { percent } from '../lib/format'
import { playable } from '../lib/media'
import { shown } from '../lib/text'
import type { Node } from '../lib/tree'
import { onDisk, onWindows, readers } from '../lib/words'
import { toast } from '../state/toasts'
import { topic } from '../state/topic'
import { Bar, Button, Empty, Working } from '../ui/basics'
import { FileTree } from '../ui/filetree'
import { Icon } from '../ui/icons'
import { Names } from '../ui/names'
import { say } from '../words'
import type { Player } from './player'
import { unsealing } from './unseal'

/** player loads the code of the player, which most visits do not need. */
const player = (): Promise<typeof import('./player')> => import('./player')

export function Files({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; files: File[] }>('files', t)
  const [pending, setPending] = useState<ReadonlyMap<number, number>>(new Map())
  const [playing, setPlaying] = useState<{ file: File; Show: typeof Player }>()
  const last = useRef<File[]>([])
  if (data) last.current = data.files
  const files = useMemo(() => last.current.map((f) => (pending.has(f.index) ? { ...f, priority: pending.get(f.index)! } : f)), [data, pending])
  const byIndex = useMemo(() => new Map(files.map((f) => [f.index, f])), [files])
  useEffect(() => setPending(new Map()), [data])

  const set = async (indexes: number[], priority: number): Promise<void> => {
    setPending(new Map([...pending, ...indexes.map((i) => [i, priority] as const)]))
    try {
      await send('PATCH', transferPath(t.id, '/files'), { priorities: Object.fromEntries(indexes.map((i) => [i, priority])) })
    } catch (e) {
      setPending(new Map())
      toast(say('files.priority.failed', { why: message(e) }), { bad: true })
    }
  }
  const play = async (file: File): Promise<void> => {
    try {
      const { Player } = await player()
      setPlaying({ file, Show: Player })
    } catch (e) {
      toast(say('player.load.failed', { why: message(e) }), { bad: true })
    }
  }
  // Details that are asked for anew, as when the player opens and closes, do not take the tree away.
  if (!data && files.length === 0) return <Working>{say('files.loading')}</Working>
  if (files.length === 0) {
    return <Empty icon="file" title={say('files.unknown.title')}><p>{say('files.unknown')}</p></Empty>
  }
  if (t.seal === 'blind') {
    return (
      <Empty icon="lock" title={readers(t)}>
        <p>{say('files.blind')}</p>
        <Button icon="lock" onClick={() => { unsealing.value = t }}>{say('files.unseal')}</Button>
      </Empty>
    )
  }
  const shows = files.find(playable)
  const priority = (n: Node): string => {
    const ps = new Set(n.indexes.map((i) => byIndex.get(i)?.priority ?? 0))
    return ps.size === 1 ? `${[...ps][0]}` : 'mixed'
  }
  return (
    <>
      {shows && <div class="row"><Button icon="play" onClick={() => void play(shows)}>{say('files.play.all')}</Button></div>}
      <FileTree
        files={files} label={say('files.label')} chosen={(i) => (byIndex.get(i)?.priority ?? 0) >= 0}
        choose={t.own ? undefined : (indexes, on) => void set(indexes, on ? 0 : -1)}
        extra={(n) => (
          <>
            <span class="tree-progress"><Bar value={n.total ? n.bytes / n.total : 1} state={n.bytes >= n.total ? 'seeding' : 'fetching'} /><span class="figures">{n.total ? percent(n.bytes, n.total) : '100 %'}</span></span>
            {!t.own && (
              <select
                aria-label={say('files.priority', { name: shown(n.name) })} value={priority(n)}
                onChange={(e) => { if (e.currentTarget.value !== 'mixed') void set(n.indexes, Number(e.currentTarget.value)) }}
              >
                {priority(n) === 'mixed' && <option value="mixed">{say('files.priority.mixed')}</option>}
                <option value="1">{say('files.priority.high')}</option>
                <option value="0">{say('files.priority.normal')}</option>
                <option value="-1">{say('files.priority.skip')}</option>
              </select>
            )}
            <span class="tree-actions">
              {n.file && playable(n.file) && (
                <Button icon="play" variant="quiet" label={say('files.play', { name: shown(n.name) })} onClick={() => void play(n.file!)} />
              )}
              {n.file ? n.file.priority >= 0 && (
                <a class="button quiet only-icon" href={contentURL(t.id, n.file.index)} download={shown(n.name)} aria-label={say('files.save', { name: shown(n.name) })} title={n.bytes >= n.total ? say('files.save.title') : say('files.save.arriving')}>
                  <Icon name="down" size={18} />
                </a>
              ) : (
                <a class="button quiet only-icon" href={archiveURL(t.id, n.key)} download aria-label={say('files.zip', { name: shown(n.name) })} title={say('files.zip.title')}>
                  <Icon name="down" size={18} />
                </a>
              )}
            </span>
          </>
        )}
      />
      {!t.own && <Names title={say('files.disk')} pairs={onDisk(files)} />}
      <Names title={say('files.windows')} pairs={onWindows(files)} />
      {playing && <playing.Show t={t} file={playing.file} files={files} close={() => setPlaying(undefined)} />}
    </>
  )
}
