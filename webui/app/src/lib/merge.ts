// Merge patches (RFC 7396).
type Obj = Record<string, unknown>
const isObject = (v: unknown): v is Obj => typeof v === 'object' && v !== null && !Array.isArray(v)

/** merge applies a merge patch (RFC 7396) and returns the new value; doc is not changed. */
export function merge<T>(doc: T, patch: unknown): T {
  if (!isObject(patch)) return patch as T
  const out: Obj = isObject(doc) ? { ...(doc as Obj) } : {}
  for (const [k, v] of Object.entries(patch)) {
    // This key would set the prototype instead of a member.
    if (k === '__proto__') continue
    if (v === null) delete out[k]
    else out[k] = merge(out[k], v)
  }
  return out as T
}
