// The folders that downloads went to last, kept by this browser.

const key = 'shoal.folders'
const most = 5

/** lastFolders are the folders that were used last, the latest first. */
export function lastFolders(): string[] {
  try {
    const v: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(v) ? v.filter((f): f is string => typeof f === 'string' && f !== '').slice(0, most) : []
  } catch {
    return [] // no storage, or what is there is not ours
  }
}

/** usedFolder remembers a folder as the latest. */
export function usedFolder(folder: string): void {
  try {
    localStorage.setItem(key, JSON.stringify([folder, ...lastFolders().filter((f) => f !== folder)].slice(0, most)))
  } catch {
    // Storage is full or forbidden: the folder is typed again.
  }
}
