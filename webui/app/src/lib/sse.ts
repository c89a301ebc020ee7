// The text format of server-sent events.
/** Message is one server-sent event. */
export interface Message {
  event: string
  data: string
  id: string
}

/**
 * Reader takes the text of an event stream in pieces of any size. A line may be
 * megabytes long and arrive in hundreds of pieces: each is scanned once.
 */
export class Reader {
  private pieces: string[] = []
  private event = ''
  private data: string[] = []
  private id = ''

  constructor(private readonly emit: (m: Message) => void) {}

  push(text: string): void {
    let from = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      this.pieces.push(text.slice(from, end))
      from = end + 1
      const line = this.pieces.length === 1 ? this.pieces[0]! : this.pieces.join('')
      this.pieces.length = 0
      this.line(line.endsWith('\r') ? line.slice(0, -1) : line)
    }
    if (from < text.length) this.pieces.push(text.slice(from))
  }

  private line(line: string): void {
    if (line === '') {
      if (this.data.length > 0) {
        this.emit({ event: this.event || 'message', data: this.data.join('\n'), id: this.id })
      }
      this.event = ''
      this.data = []
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') this.event = value
    else if (field === 'data') this.data.push(value)
    else if (field === 'id') this.id = value
  }
}
