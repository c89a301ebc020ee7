// What a browser can show of a transfer, and what lies beside it: subtitles, posters, other tracks.
import type { File } from '../api/types'
import { locale } from '../words'
import { fold } from './text'

export type Kind = 'video' | 'audio' | 'image'

// The types that browsers can show; the node serves other types only as downloads.
const kinds: Record<Kind, RegExp> = {
  video: /\.(mp4|m4v|webm|ogv|mkv|mov)$/i,
  audio: /\.(mp3|m4a|aac|flac|oga|ogg|opus|wav)$/i,
  image: /\.(avif|bmp|gif|jpe?g|png|webp)$/i,
}

/** kindOf is what a file is shown as; undefined if browsers cannot show it. */
export const kindOf = (name: string): Kind | undefined => (Object.keys(kinds) as Kind[]).find((k) => kinds[k].test(name))

/** playable reports whether a file can be shown now: a picture is shown when all of it is there. */
export const playable = (f: File): boolean => {
  const kind = kindOf(f.path)
  return kind !== undefined && f.priority >= 0 && f.total > 0 && (kind !== 'image' || f.bytes >= f.total)
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)
export const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const stem = (path: string): string => fileName(path).replace(/\.[^.]*$/, '')

/** beside are the files of the same kind and folder that can be shown, in order. */
export function beside(f: File, all: readonly File[]): File[] {
  const kind = kindOf(f.path)
  const folder = folderOf(f.path)
  return all.filter((o) => folderOf(o.path) === folder && kindOf(o.path) === kind && playable(o))
    .sort((a, b) => collator.compare(a.path, b.path))
}

export interface Subtitles {
  file: File
  language: string // a code, or empty
  label: string
}

// The node converts no larger files.
const largest = 2 << 20

/** subtitles finds those that belong to a film: of the same name, or of the only film in the folder. */
export function subtitles(film: File, all: readonly File[]): Subtitles[] {
  const folder = folderOf(film.path)
  const name = fold(stem(film.path))
  const alone = all.filter((f) => folderOf(f.path) === folder && kindOf(f.path) === 'video').length === 1
  const near = (f: File): boolean => {
    const at = folderOf(f.path)
    return at === folder || (at.startsWith(folder) && /^sub(s|titles?)?\/$/i.test(at.slice(folder.length)))
  }
  return all
    .filter((f) => /\.(srt|vtt)$/i.test(f.path) && f.priority >= 0 && f.total > 0 && f.total <= largest && near(f) && (alone || fold(stem(f.path)).startsWith(name)))
    .map((file) => {
      const own = stem(file.path)
      const rest = fold(own).startsWith(name) ? own.slice(stem(film.path).length) : own
      const language = rest.split(/[^A-Za-z]+/).map(code).find(Boolean) ?? ''
      return { file, language, label: languageName(language) || rest.replace(/^[\s._-]+/, '') || own }
    })
    .sort((a, b) => collator.compare(a.label, b.label))
}

// Names of files have codes of three letters as often as those of two.
const three: Record<string, string> = { eng: 'en', ger: 'de', deu: 'de', fre: 'fr', fra: 'fr', spa: 'es', ita: 'it', por: 'pt', rus: 'ru', jpn: 'ja', chi: 'zh', zho: 'zh', kor: 'ko', dut: 'nl', nld: 'nl', pol: 'pl', swe: 'sv', tur: 'tr', ara: 'ar' }
const two = [...new Set(Object.values(three)), 'bg', 'cs', 'da', 'el', 'fa', 'fi', 'he', 'hi', 'hr', 'hu', 'id', 'nb', 'no', 'ro', 'sk', 'sl', 'sr', 'th', 'uk', 'vi']
const english = new Intl.DisplayNames(['en'], { type: 'language' })

/** code is the language that a word of a file name stands for: de, ger, German; empty if none. */
function code(word: string): string {
  const w = word.toLowerCase()
  return three[w] ?? two.find((c) => c === w || english.of(c)?.toLowerCase() === w) ?? ''
}
const languageName = (c: string): string => (c ? new Intl.DisplayNames([locale.value], { type: 'language' }).of(c) ?? '' : '')

// A larger picture would take its data from the film.
const posterSize = 5_000_000

/** poster finds a complete picture beside a film that has its name, or one of those that posters have. */
export function poster(film: File, all: readonly File[]): File | undefined {
  const folder = folderOf(film.path)
  const name = fold(stem(film.path))
  const near = all.filter((f) => folderOf(f.path) === folder && kindOf(f.path) === 'image' && f.total > 0 && f.bytes >= f.total && f.total <= posterSize)
  return near.find((f) => fold(stem(f.path)) === name) ?? near.find((f) => fold(stem(f.path)) === `${name}-poster`)
    ?? ['poster', 'cover', 'folder', 'fanart'].map((p) => near.find((f) => fold(stem(f.path)) === p)).find(Boolean)
}
