// The files of this device that were chosen or dropped, with their paths.
import { say } from '../words'

/** Given is a file of this device with its path in the chosen folder. */
export interface Given {
  file: File
  path: string
}

/** given returns the files of a file input, which may be a folder. */
export const given = (files: Iterable<File>): Given[] =>
  [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))

/** isTorrent reports whether a file names content to download, rather than content to share. */
export const isTorrent = (name: string): boolean => /\.torrent$/i.test(name)

const most = 10_000

/** walk reads dropped files and folders. The entries must be read before the event ends. */
export async function walk(entries: FileSystemEntry[]): Promise<Given[]> {
  const out: Given[] = []
  const visit = async (e: FileSystemEntry, path: string): Promise<void> => {
    if (out.length >= most) throw new Error(say('drop.many', { n: most }))
    if (e.isFile) {
      const file = await new Promise<File>((done, failed) => (e as FileSystemFileEntry).file(done, failed))
      out.push({ file, path: path + e.name })
      return
    }
    const reader = (e as FileSystemDirectoryEntry).createReader()
    for (;;) {
      // readEntries returns a part of the entries at a time, and none at the end.
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed))
      if (some.length === 0) return
      for (const s of some) await visit(s, `${path}${e.name}/`)
    }
  }
  for (const e of entries) await visit(e, '')
  return out
}

/** folderOf is the one folder that all files are in, if there is one. */
export function folderOf(files: readonly Given[]): string | undefined {
  const first = files[0]?.path.split('/')
  if (!first || first.length < 2) return undefined
  return files.every((f) => f.path.startsWith(first[0] + '/')) ? first[0] : undefined
}

/** place splits a file's path into the folder below the share's own and its name. */
export function place(path: string, inside: boolean): { folder: string; name: string } {
  const parts = path.split('/')
  const name = parts.pop()!
  return { folder: (inside ? parts.slice(1) : parts).join('/'), name }
}
