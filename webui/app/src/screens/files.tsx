// The tab with the files of a transfer: priorities, playing, saving.
import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { archiveURL, contentURL, message, send, transferPath } from '../api/client'
import type { File, Transfer } from '../api/types'
import { bytes, percent, plural } from '../lib/format'
import { shown } from '../lib/text'
import type { Node } from '../lib/tree'
import { onDisk, onWindows, readers } from '../lib/words'
import { toast } from '../state/toasts'
import { topic } from '../state/topic'
import { Bar, Button, Dialog, Empty, Working } from '../ui/basics'
import { FileTree } from '../ui/filetree'
import { Icon } from '../ui/icons'
import { Names } from '../ui/names'
import { unsealing } from './unseal'

// The types that browsers can show; the node serves other types only as downloads.
const video = /\.(mp4|m4v|webm|ogv|mkv|mov)$/i
const audio = /\.(mp3|m4a|aac|flac|oga|ogg|opus|wav)$/i
const image = /\.(avif|bmp|gif|jpe?g|png|webp)$/i

export function Files({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; files: File[] }>('files', t)
  const [pending, setPending] = useState<ReadonlyMap<number, number>>(new Map())
  const [playing, setPlaying] = useState<File>()
  const files = useMemo(() => data?.files.map((f) => (pending.has(f.index) ? { ...f, priority: pending.get(f.index)! } : f)) ?? [], [data, pending])
  const byIndex = useMemo(() => new Map(files.map((f) => [f.index, f])), [files])
  useEffect(() => setPending(new Map()), [data])

  const set = async (indexes: number[], priority: number): Promise<void> => {
    setPending(new Map([...pending, ...indexes.map((i) => [i, priority] as const)]))
    try {
      await send('PATCH', transferPath(t.id, '/files'), { priorities: Object.fromEntries(indexes.map((i) => [i, priority])) })
    } catch (e) {
      setPending(new Map())
      toast(`Could not change the priority: ${message(e)}`, { bad: true })
    }
  }
  if (!data) return <Working>Loading the file list …</Working>
  if (files.length === 0) {
    return <Empty icon="file" title="File list unknown yet"><p>The files appear as soon as a peer has sent the list.</p></Empty>
  }
  if (t.seal === 'blind') {
    return (
      <Empty icon="lock" title={readers(t)}>
        <p>Its files are in one block of encrypted data. Other people with the full link can get them from this node.</p>
        <Button icon="lock" onClick={() => { unsealing.value = t }}>Open with the full link</Button>
      </Empty>
    )
  }
  const chosen = files.filter((f) => f.priority >= 0)
  const priority = (n: Node): string => {
    const ps = new Set(n.indexes.map((i) => byIndex.get(i)?.priority ?? 0))
    return ps.size === 1 ? `${[...ps][0]}` : 'mixed'
  }
  return (
    <>
      <p class="muted" role="status">{plural(chosen.length, 'file')} of {files.length.toLocaleString('en')} selected, {bytes(chosen.reduce((n, f) => n + f.total, 0))}</p>
      <FileTree
        files={files} label="Files" chosen={(i) => (byIndex.get(i)?.priority ?? 0) >= 0}
        choose={(indexes, on) => { if (!t.own) void set(indexes, on ? 0 : -1) }}
        extra={(n) => (
          <>
            <span class="tree-progress"><Bar value={n.total ? n.bytes / n.total : 1} state={n.bytes >= n.total ? 'seeding' : 'fetching'} /><span class="figures">{n.total ? percent(n.bytes, n.total) : '100 %'}</span></span>
            {!t.own && (
              <select
                aria-label={`Priority of ${shown(n.name)}`} value={priority(n)}
                onChange={(e) => { if (e.currentTarget.value !== 'mixed') void set(n.indexes, Number(e.currentTarget.value)) }}
              >
                {priority(n) === 'mixed' && <option value="mixed">Mixed</option>}
                <option value="1">High</option>
                <option value="0">Normal</option>
                <option value="-1">Skip</option>
              </select>
            )}
            <span class="tree-actions">
              {n.file && (video.test(n.name) || audio.test(n.name) || (image.test(n.name) && n.bytes >= n.total)) && n.file.priority >= 0 && (
                <Button icon="play" variant="quiet" label={`Show ${shown(n.name)}`} onClick={() => setPlaying(n.file)} />
              )}
              {n.file ? n.file.priority >= 0 && (
                <a class="button quiet only-icon" href={contentURL(t.id, n.file.index)} download={shown(n.name)} aria-label={`Download ${shown(n.name)}`} title={n.bytes >= n.total ? 'Download' : 'Download while it arrives'}>
                  <Icon name="down" size={18} />
                </a>
              ) : (
                <a class="button quiet only-icon" href={archiveURL(t.id, n.key)} download aria-label={`Download the folder ${shown(n.name)} as one .zip`} title="Download as one .zip">
                  <Icon name="down" size={18} />
                </a>
              )}
            </span>
          </>
        )}
      />
      {!t.own && <Names title="Names that are different on disk" pairs={onDisk(files)} />}
      <Names title="Names that will change on Windows" pairs={onWindows(files)} />
      {playing && <Player t={t} file={playing} close={() => setPlaying(undefined)} />}
    </>
  )
}

function Player({ t, file, close }: { t: Transfer; file: File; close: () => void }): JSX.Element {
  const [failed, setFailed] = useState(false)
  const name = file.path.split('/').pop()!
  const src = contentURL(t.id, file.index)
  const fail = (): void => setFailed(true)
  return (
    <Dialog title={shown(name)} onClose={close} wide>
      <div class="player">
        {video.test(name) ? <video src={src} controls autoplay onError={fail} />
          : audio.test(name) ? <audio src={src} controls autoplay onError={fail} />
          : <img src={src} alt={shown(name)} onError={fail} />}
      </div>
      {failed && <p class="note">This browser cannot show this file. Open this address in a media player: {location.origin}{src}</p>}
      {file.bytes < file.total && <p class="muted">The download is still running. The part you watch is downloaded first.</p>}
    </Dialog>
  )
}
